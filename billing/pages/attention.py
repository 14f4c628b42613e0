"""What waits for finance: beside the navigation, and on the dashboard."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.permissions import allows
from billing.payments.bank_statements.models import BankCredit
from billing.payments.models import Chargeback, Refund
from billing.runs.models import Run
from shop.core.panels import Attention

LATE = timedelta(hours=1)
"""A run issues thousands of invoices a minute, so one of this age stands still."""
COUNTED = 100
"""How many of each are counted at most."""

_SQL = """
SELECT (SELECT count(*) FROM (SELECT FROM billing_draft LIMIT %(most)s) drafts),
       (SELECT count(*) FROM (SELECT FROM billing_chargeback WHERE status = %(opened)s
                              LIMIT %(most)s) disputes),
       (SELECT count(*) FROM (SELECT FROM billing_refund WHERE status = %(unknown)s
                              LIMIT %(most)s) refunds),
       (SELECT count(*) FROM (SELECT FROM billing_bankcredit WHERE status = %(waiting)s
                              LIMIT %(most)s) credits),
       (SELECT count(*) FROM (SELECT FROM billing_run WHERE status <> %(done)s
                                 AND created_at < now() - %(late)s LIMIT %(most)s) runs)
"""


class Waits(NamedTuple):
    """How many drafts, disputes, refunds of unknown outcome, unmatched credits, late runs wait."""

    drafts: int
    disputes: int
    refunds: int
    credits: int
    runs: int


def count_drafts(user: Any) -> int:
    """Return how many drafts wait to be issued, for who may issue them."""
    return _waits(user).drafts if _may_act(user) else 0


def count_money(user: Any) -> int:
    """Return how many disputes, refunds of unknown outcome and unmatched credits there are."""
    if not _may_act(user):
        return 0
    waits = _waits(user)
    return waits.disputes + waits.refunds + waits.credits


def find_attention(caller: Caller) -> list[Attention]:
    """Return what waits in billing, for who sees everybody's invoices."""
    if not allows(caller.permissions, P.BILLING_READ_ALL):
        return []
    waits = _counted()
    disputes, refunds = reverse("billing_disputes"), reverse("billing_refunds")
    return [
        Attention(_("Open disputes"), waits.disputes, f"{disputes}?status=opened"),
        Attention(_("Refunds of unknown outcome"), waits.refunds, f"{refunds}?status=unknown"),
        Attention(_("Bank transfers to assign"), waits.credits, reverse("billing_bank")),
        Attention(_("Runs that do not come to an end"), waits.runs, reverse("billing_runs")),
    ]


def _may_act(user: Any) -> bool:
    return allows(user.permissions, P.BILLING_WRITE_ALL)


def _waits(user: Any) -> Waits:
    """Count once for all entries of a page: the user is an object of its request."""
    waits: Waits | None = getattr(user, "_billing_waits", None)
    if waits is None:
        waits = user._billing_waits = _counted()
    return waits


def _counted() -> Waits:
    values: dict[str, Any] = {
        "most": COUNTED,
        "opened": Chargeback.Status.OPENED.value,
        "unknown": Refund.Status.UNKNOWN.value,
        "done": Run.Status.DONE.value,
        "late": LATE,
        "waiting": BankCredit.Status.WAITING.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        return Waits(*cursor.fetchone())
