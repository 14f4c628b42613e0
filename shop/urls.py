"""The URL configuration of the whole site."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from accounts.pages import admin_login
from accounts.pages import urlpatterns as accounts_urlpatterns
from purchases.urls import api_urlpatterns, classic_urlpatterns
from shop.core import documentation, health
from shop.server.routes import CLASSIC_PREFIX

handler400 = "shop.core.errors.bad_request"
handler403 = "shop.core.errors.permission_denied"
handler404 = "shop.core.errors.not_found"
handler500 = "shop.core.errors.server_error"

admin.site.site_header = admin.site.site_title = "Scalable Shop"
admin.site.index_title = "Administration"

_CLASSIC = [*classic_urlpatterns, *health.healthz_urlpatterns]

urlpatterns = [
    path("api/v1/", include((api_urlpatterns, "api"))),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/", include("reports.urls")),
    *_CLASSIC,
    re_path(rf"^{CLASSIC_PREFIX.lstrip('/')}/", include((_CLASSIC, "prefixed"))),
    *health.urlpatterns,
    *documentation.urlpatterns,
    path("accounts/", include(accounts_urlpatterns)),
    # The admin's own sign-in and password change know nothing of rate limits and tokens.
    path("admin/login/", admin_login),
    path(
        "admin/password_change/",
        RedirectView.as_view(
            pattern_name="account_change_password", http_method_names=["get", "head"]
        ),
    ),
    path("admin/", admin.site.urls),
    path("", include("purchases.page_urls")),
    path("", include("reports.page_urls")),
]
