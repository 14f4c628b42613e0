"""What waits for finance: beside the navigation, and on the dashboard."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.permissions import allows
from billing.invoices.models import Draft
from billing.payments.models import Chargeback, Refund
from shop.core.panels import Attention

COUNTED = 100
"""How many of each are counted at most."""


def count_drafts(user: Any) -> int:
    """Return how many drafts wait to be issued, for who may issue them."""
    if not _may_act(user):
        return 0
    return Draft.objects.order_by()[:COUNTED].count()


def count_money(user: Any) -> int:
    """Return how many disputes are open, and how many refunds have an unknown outcome."""
    if not _may_act(user):
        return 0
    return _disputes() + _refunds(Refund.Status.UNKNOWN)


def find_attention(caller: Caller) -> list[Attention]:
    """Return what waits in billing, for who sees everybody's invoices."""
    if not allows(caller.permissions, P.BILLING_READ_ALL):
        return []
    disputes, refunds = reverse("billing_disputes"), reverse("billing_refunds")
    return [
        Attention(_("Open disputes"), _disputes(), f"{disputes}?status=opened"),
        Attention(
            _("Refunds of unknown outcome"),
            _refunds(Refund.Status.UNKNOWN),
            f"{refunds}?status=unknown",
        ),
    ]


def _may_act(user: Any) -> bool:
    return allows(user.permissions, P.BILLING_WRITE_ALL)


def _disputes() -> int:
    opened = Chargeback.objects.filter(status=Chargeback.Status.OPENED)
    return opened.order_by()[:COUNTED].count()


def _refunds(status: str) -> int:
    return Refund.objects.filter(status=status).order_by()[:COUNTED].count()
