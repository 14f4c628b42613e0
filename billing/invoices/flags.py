"""What somebody should look at: disputes, and balances that are not as they should be."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from billing.invoices.models import Balance
from billing.money import Sums
from billing.payments.models import Chargeback, Refund
from billing.payments.selectors import excess_of
from shop.core.site_settings.general import site_today

DISPUTED, OVERDUE, OVERPAID = "disputed", "overdue", "overpaid"
EXCESS = "excess"
"""More went back of a payment than came."""


def sums_of(balance: Balance) -> Sums:
    """Return the sums of an invoice, which know what is due and what is overpaid."""
    return Sums(
        balance.total, balance.credited, balance.paid, balance.refunded, balance.charged_back
    )


def flags_of(balances: Iterable[Balance]) -> Mapping[UUID, list[str]]:
    """Return what needs attention about each invoice, by its id. Three queries."""
    balances = list(balances)
    ids = [balance.pk for balance in balances]
    found: dict[UUID, list[str]] = {id: [] for id in ids}
    disputed = Chargeback.objects.filter(
        document__in=ids, status__in=[Chargeback.Status.OPENED, Chargeback.Status.INQUIRY]
    )
    for id, status in set(disputed.values_list("document", "status")):
        if status == Chargeback.Status.OPENED:
            found[id].append(DISPUTED)
    refunds = Refund.objects.filter(
        document__in=ids, status__in=[Refund.Status.FAILED, Refund.Status.UNKNOWN]
    )
    for id, status in sorted(set(refunds.values_list("document", "status"))):
        found[id].append(f"refund_{status}")
    for id in excess_of(
        balance.pk for balance in balances if balance.refunded + balance.charged_back
    ):
        found[id].append(EXCESS)
    today = site_today()
    for balance in balances:
        sums = sums_of(balance)
        if sums.overpaid:
            found[balance.pk].append(OVERPAID)
        if sums.due and balance.due_on and balance.due_on < today:
            found[balance.pk].append(OVERDUE)
    return found
