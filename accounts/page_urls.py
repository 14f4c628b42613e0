"""The pages of accounts: allauth's, and the doors of the admin."""

from allauth.account import urls as allauth
from django.urls import URLPattern, include, path
from django.views.generic import RedirectView

from accounts.pages import admin_login, in_one_transaction

# These compare passwords, which takes its time, and change nothing that a mail tells of.
_WITHOUT = {"account_login", "account_logout", "account_reauthenticate"}

_pages = [
    pattern
    if pattern.name in _WITHOUT
    else URLPattern(
        pattern.pattern, in_one_transaction(pattern.callback), pattern.default_args, pattern.name
    )
    for pattern in allauth.urlpatterns
]
urlpatterns = [
    path("accounts/", include(_pages)),
    # The admin's own sign-in and password change know nothing of rate limits and tokens.
    path("admin/login/", admin_login),
    path(
        "admin/password_change/",
        RedirectView.as_view(
            pattern_name="account_change_password", http_method_names=["get", "head"]
        ),
    ),
]
