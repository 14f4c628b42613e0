"""What the page of an account tells of its erasure."""

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from personal.services import erasure_of, hold_of
from shop.core.panels import Panel


def erasing_panel(caller: Caller, account: User) -> Panel | None:
    """Return whether the account is to be erased, for whoever may change accounts."""
    if not allows(caller.permissions, P.ACCOUNTS_ADMIN):
        return None
    context = {
        "url": reverse("person_erasing", args=[account.userid]),
        "erasure": erasure_of(account),
        "hold": hold_of(account),
    }
    return Panel(_("Personal data"), "personal/_person.html", context, place=80)
