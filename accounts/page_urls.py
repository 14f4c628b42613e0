"""The pages of accounts: those of allauth, and the sign-in of the admin."""

from allauth.account import urls as allauth
from django.urls import URLPattern, include, path
from django.views.generic import RedirectView

from accounts.codes import confirm_login_code, request_login_code
from accounts.jwt.api import key_set
from accounts.pages import (
    account_overview,
    admin_login,
    confirm_session,
    in_one_transaction,
    or_disown,
)
from accounts.preferences import preferences
from accounts.providers.buttons import leads_to_providers
from accounts.rules import ON_PAGES, ON_PAGES_RECENT, OPEN, declare, requires
from accounts.sessions.pages import session_list

# These compare passwords, which takes long, and change nothing that a mail tells of.
_WITHOUT = {"account_login", "account_logout", "account_reauthenticate"}

# These need a sign-in. The others are open, and show nothing of an account.
_SIGNED_IN = {
    "account_logout",
    "account_reauthenticate",
    "account_email",
    "account_change_password",
    "account_set_password",
}
_OPEN = {
    "account_login",
    "account_inactive",
    "account_signup",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_request_login_code",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}

# These have a button for each provider, whose form leads there.
_WITH_PROVIDERS = {"account_login", "account_reauthenticate"}


def _page(pattern: URLPattern) -> URLPattern:
    view = pattern.callback
    if pattern.name == "account_confirm_login_code":
        view = confirm_login_code
    elif pattern.name == "account_request_login_code":
        view = in_one_transaction(request_login_code)
    elif pattern.name == "account_confirm_email":
        view = in_one_transaction(or_disown(view))
    elif pattern.name == "account_reauthenticate":
        view = confirm_session(view)
    elif pattern.name == "account_set_password":
        # Nobody is asked for a password here, because there is none.
        view = requires(GET=ON_PAGES, POST=ON_PAGES_RECENT)(in_one_transaction(view))
    elif pattern.name not in _WITHOUT:
        view = in_one_transaction(view)
    if pattern.name in _WITH_PROVIDERS:
        view = leads_to_providers(view)
    return URLPattern(pattern.pattern, view, pattern.default_args, pattern.name)


_pages = [_page(pattern) for pattern in allauth.urlpatterns]
declare([each for each in _pages if each.name in _SIGNED_IN], ON_PAGES)
declare([each for each in _pages if each.name in _OPEN], OPEN)
urlpatterns = [
    path("", include("accounts.keys.page_urls")),
    path("", include("accounts.audit.page_urls")),
    path(".well-known/jwks.json", key_set, name="key_set"),
    path("accounts/preferences/", preferences, name="preferences"),
    path("accounts/sessions/", session_list, name="session_list"),
    path("accounts/", account_overview, name="account_overview"),
    path("accounts/2fa/", include("accounts.factors.urls")),
    path("accounts/", include(_pages)),
    path("accounts/", include("accounts.providers.urls")),
    # The admin's own sign-in and password change have neither rate limits nor tokens.
    path("admin/login/", admin_login),
    *declare(
        [
            path(
                "admin/password_change/",
                RedirectView.as_view(
                    pattern_name="account_change_password", http_method_names=["get", "head"]
                ),
            )
        ],
        OPEN,
    ),
]
