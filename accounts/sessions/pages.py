"""The page of what is signed in."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from accounts.rules import ON_PAGES, requires
from accounts.sessions.ending import end_credentials, end_one
from accounts.sessions.listing import sessions_of
from shop.core.errors import NotFound, error_response

KINDS = {
    "browser": (gettext_lazy("Browser"), "user"),
    "token": (gettext_lazy("Token"), "terminal"),
    "jwt": (gettext_lazy("App"), "terminal"),
    "key": (gettext_lazy("API key"), "key"),
}
"""What each kind is called, and its icon."""
METHODS = {
    "password": gettext_lazy("password"),
    "totp": gettext_lazy("app code"),
    "webauthn": gettext_lazy("passkey"),
    "recovery_codes": gettext_lazy("recovery code"),
    "code": gettext_lazy("code by mail"),
    "socialaccount": gettext_lazy("another site"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES, POST=ON_PAGES)
def session_list(request: HttpRequest) -> HttpResponse:
    """Show what is signed in to the account; end one of these, or all others."""
    user: Any = request.user
    current = request.session.session_key or ""
    if request.method == "POST":
        if given := request.POST.get("session"):
            return _end_one(request, given)
        with transaction.atomic():
            ended = end_credentials(
                user, keep_session=current, keys="keys" in request.POST, reason="asked"
            )
        count = ended.browser + ended.token + ended.jwt + ended.key
        done = ngettext(
            "%(count)d other sign-in was ended.", "%(count)d other sign-ins were ended.", count
        )
        messages.success(request, done % {"count": count})
        return redirect("session_list")
    found = sessions_of(user, session_key=current)
    context = {
        "current": [each for each in found if each.current],
        "others": [each for each in found if not each.current],
        "kinds": KINDS,
        "has_keys": any(each.kind == "key" for each in found),
    }
    return render(request, "account/sessions.html", context)


def _end_one(request: HttpRequest, given: str) -> HttpResponse:
    user: Any = request.user
    current = request.session.session_key
    try:
        id = uuid.UUID(given)
        with transaction.atomic():
            end_one(user, id)
    except ValueError:
        return error_response(request, NotFound())
    except NotFound:
        # Somebody else, or another tab, was faster, and nothing is left to do.
        messages.info(request, _("That sign-in had ended already."))
        return redirect("session_list")
    if current and not request.session.exists(current):
        logout(request)
        return redirect("account_login")
    messages.success(request, _("The sign-in was ended."))
    return redirect("session_list")
