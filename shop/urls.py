"""The URL configuration of the whole site: that of the apps, and of pages that belong to none."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from accounts.rules import OPEN, declare
from shop.core import documentation, health, styleguide, texts
from shop.core.apps import declared_urls
from shop.core.paths import CLASSIC_PREFIX

handler400 = "shop.core.errors.bad_request"
handler403 = "shop.core.errors.permission_denied"
handler404 = "shop.core.errors.not_found"
handler429 = "shop.core.errors.too_many_requests"
handler500 = "shop.core.errors.server_error"

admin.site.site_header = admin.site.site_title = "Scalable Shop"
admin.site.index_title = "Administration"


def _declared(kind: str, below: str = "") -> list[URLResolver]:
    return [path(below, include(module)) for module in declared_urls(kind)]


_CLASSIC: list[URLPattern | URLResolver] = [
    *_declared("classic_urls"),
    *declare(health.healthz_urlpatterns, OPEN),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *_declared("api_urls", "api/v1/"),
    *_CLASSIC,
    re_path(rf"^{CLASSIC_PREFIX.lstrip('/')}/", include((_CLASSIC, "prefixed"))),
    *declare(health.urlpatterns, OPEN),
    *declare(documentation.urlpatterns, OPEN),
    *declare(styleguide.urlpatterns, OPEN),
    *declare(texts.urlpatterns, OPEN),
    *_declared("page_urls"),
    # An app may have replaced one of the admin's pages by its own.
    path("admin/", admin.site.urls),
]
