"""The way from a customer to the account behind it."""

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from shop.core.panels import Panel


def account_panel(caller: Caller, customer: User) -> Panel | None:
    """Return the link to the page of the account, for whoever may see accounts."""
    if not any(
        allows(caller.permissions, each) for each in (P.ACCOUNTS_READ_ALL, P.ACCOUNTS_ADMIN)
    ):
        return None
    context = {"url": reverse("person", args=[customer.userid]), "roles": customer.role_names}
    return Panel(_("What the account may do"), "people/_customer.html", context, place=90)
