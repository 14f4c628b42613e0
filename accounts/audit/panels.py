"""The last entries about an account, on its page."""

from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Caller
from accounts.audit.listing import shown
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from audit.models import Entry
from shop.core.panels import Panel

LAST = 8


def audit_panel(caller: Caller, account: User) -> Panel | None:
    """Return what happened to the account lately, for whoever may read the audit."""
    if not allows(caller.permissions, P.AUDIT_READ_ALL):
        return None
    entries = Entry.objects.filter(account_id=account.pk).order_by("-seq")[:LAST]
    context = {
        "url": f"{reverse('audit')}?{urlencode({'account': f'account:{account.pk}'})}",
        "entries": [
            {
                "moment": each.entry.at,
                "title": each.words,
                "text": each.actor_name,
                "href": reverse("audit_entry", args=[each.entry.seq]),
                "icon": "history",
            }
            for each in shown(list(entries))
        ],
    }
    return Panel(_("What happened to the account"), "accounts/_audit.html", context, place=70)
