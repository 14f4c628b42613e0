"""What the search finds in the ledger: purchases by id, and customers."""

import re
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller, may_read_purchases, may_see_everything
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.names import fold, normalise
from purchases.customers import customers_named, email_for
from purchases.models import Purchase
from purchases.selectors import visible_to
from shop.core.money import shown
from shop.core.search import Hit
from shop.core.times import short

_DIGITS = re.compile("[0-9a-f]{1,32}")
PREFIX = 8
OWN_PREFIX = 12
"""Digits that name purchases of one millisecond, of which the caller's own are picked."""


def isolated(text: str) -> str:
    """Return the text so that its direction does not change that of what stands beside it."""
    return f"\u2068{text}\u2069"


def find_purchases(caller: Caller, text: str, limit: int) -> list[Hit]:
    """Return the purchases with this id, or with ids that begin so.

    An id begins with its time. Who sees everybody's purchases needs fewer digits, because the first
    rows of the index are what is wanted.
    """
    digits = text.replace("-", "").lower()
    least = PREFIX if may_see_everything(caller) else OWN_PREFIX
    if len(digits) < least or not _DIGITS.fullmatch(digits) or not may_read_purchases(caller):
        return []
    first, last = (UUID(digits.ljust(32, end)) for end in "0f")
    purchases = (
        Purchase.objects.select_related("customer")
        .filter(visible_to(caller), pk__gte=first, pk__lte=last)
        .order_by("pk")[:limit]
    )
    return [_purchase_hit(purchase, exact=first == last) for purchase in purchases]


def _purchase_hit(purchase: Purchase, *, exact: bool) -> Hit:
    parts = [
        isolated(purchase.item) if purchase.item else "",
        shown(f"{purchase.total:.2f}", purchase.currency),
        isolated(purchase.customer.username),
        short(purchase.timestamp),
    ]
    return Hit(
        kind=_("Purchase"),
        label=str(purchase.pk),
        detail=" · ".join(part for part in parts if part),
        url=reverse("purchase", args=[purchase.pk]),
        exact=exact,
    )


def find_customers(caller: Caller, text: str, limit: int) -> list[Hit]:
    """Return customers whose name, userid or address begins with the text; else only oneself."""
    if len(text) > USERNAME_MAX_LENGTH or not may_read_purchases(caller):
        return []
    if may_see_everything(caller):
        found = customers_named(caller, text, limit)
    else:
        start = fold(normalise(text))
        own = any(fold(name).startswith(start) for name in (caller.username, caller.userid))
        found = list(User.objects.filter(pk=caller.id)) if own else []
    return [_customer_hit(caller, customer, text) for customer in found]


def _customer_hit(caller: Caller, customer: User, text: str) -> Hit:
    email = email_for(caller, customer)
    return Hit(
        kind=_("Customer"),
        label=customer.username,
        detail=" · ".join(isolated(each) for each in (customer.userid, email) if each),
        url=reverse("customer", args=[customer.userid]),
        exact=text in (customer.userid, email),
    )
