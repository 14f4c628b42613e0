"""What is signed in to an account, on its page."""

from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.sessions.listing import sessions_of
from shop.core.panels import Panel

SHOWN = 8
_KINDS = {
    "browser": _("Browser"),
    "token": _("Token"),
    "jwt": _("JWT"),
    "key": _("Key"),
}
_ICONS = {"browser": "monitor", "key": "key-round"}


def sessions_panel(caller: Caller, account: User) -> Panel | None:
    """Return what is signed in, without addresses, for whoever administers accounts."""
    if not allows(caller.permissions, P.ACCOUNTS_ADMIN):
        return None
    found = sessions_of(account)
    context = {
        "more": max(0, len(found) - SHOWN),
        "entries": [
            {
                "moment": each.last_used_at or each.created_at,
                "title": _KINDS[each.kind],
                "text": each.name,
                "icon": _ICONS.get(each.kind, "circle"),
            }
            for each in found[:SHOWN]
        ],
    }
    return Panel(str(_("What is signed in")), "accounts/_sessions.html", context, place=60)
