"""Whether somebody has proved lately who they are.

What changes credentials, or gives personal data away, asks for a *recent* sign-in. So a browser
that was left open is not enough, and neither is any token, key or JWT.
"""

import time

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_noop

from accounts.ways import way_back
from shop.core.errors import Forbidden


class ReauthenticationRequired(Forbidden):
    """The sign-in of the session is too old, or the credential is no session."""

    code = "reauthentication_required"
    detail = gettext_noop(
        "This needs a browser session that was signed in, or confirmed, within 5 minutes."
    )


def is_recent(request: HttpRequest) -> bool:
    """Return whether the session's user has signed in or confirmed it within
    ``ACCOUNT_REAUTHENTICATION_TIMEOUT`` seconds.

    The session's own record of methods tells. allauth's function is not used, because it takes an
    account without a password for always recent.
    """
    records = get_authentication_records(request, request.user)
    newest = max((record.get("at", 0) for record in records), default=0)
    age = time.time() - newest
    # A time ahead of the clock is wrong, so it proves nothing. A second is left to other machines.
    return -1 <= age < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def confirm_first(request: HttpRequest, *, has_page: bool = True) -> HttpResponse:
    """Lead to the page that confirms the session, and from there back, with what was typed."""
    back = way_back(request, has_page=has_page)
    return redirect_to_login(back, reverse("account_reauthenticate"))
