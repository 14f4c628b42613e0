"""What moved what a customer owes: the second part of a statement, where the shop bills."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_noop

from billing.invoices.models import Entry
from documents.models import Document
from reports.contents import AccountBalance, AccountLine

_KINDS: dict[str, tuple[str, int]] = {
    Entry.Kind.ISSUED: (gettext_noop("Invoice"), 1),
    Entry.Kind.CREDITED: (gettext_noop("Credit note"), -1),
    Entry.Kind.PAID: (gettext_noop("Payment"), -1),
    Entry.Kind.PAYMENT_REVERSED: (gettext_noop("Payment taken back"), 1),
    Entry.Kind.REFUNDED: (gettext_noop("Refund"), 1),
    Entry.Kind.REFUND_REVERSED: (gettext_noop("Refund that failed"), -1),
    Entry.Kind.CHARGED_BACK: (gettext_noop("Chargeback"), 1),
    Entry.Kind.CHARGEBACK_REVERSED: (gettext_noop("Chargeback won"), -1),
}
"""What a statement calls each movement, and whether the customer then owes more or less."""


@dataclass(frozen=True, slots=True)
class Account:
    """The movements of a period, oldest first, and the balances before and after it."""

    lines: Iterable[AccountLine] = ()
    before: Sequence[AccountBalance] = ()
    after: Sequence[AccountBalance] = ()


def account_of(report: Document, customer_id: int) -> Account:
    """Return a customer's account in the period of a statement; empty if nothing was billed."""
    since, until = report.period
    begin = datetime.combine(since, time.min, tzinfo=UTC)
    end = datetime.combine(until, time.max, tzinfo=UTC)
    entries = Entry.objects.using(report._state.db).filter(document__customer=customer_id)
    period = entries.filter(at__gte=begin, at__lte=end)
    before = _sums(entries.filter(at__lt=begin))
    after = _sums(entries.filter(at__lte=end))
    return Account(
        lines=_lines(period),
        before=_balances({currency: amount for currency, amount in before.items() if amount}),
        after=_balances(after),
    )


def _sums(entries: QuerySet[Entry]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    rows = entries.order_by().values_list("document__currency", "kind").annotate(Sum("amount"))
    for currency, kind, amount in rows:
        sums[currency] += _KINDS[kind][1] * amount
    return sums


def _balances(sums: dict[str, Decimal]) -> list[AccountBalance]:
    return [AccountBalance(currency=each, amount=sums[each]) for each in sorted(sums)]


def _lines(entries: QuerySet[Entry]) -> Iterator[AccountLine]:
    rows = entries.order_by("at", "id").values_list(
        "at", "document__label", "kind", "document__currency", "amount"
    )
    for at, label, kind, currency, amount in rows.iterator(chunk_size=2000):
        what, sign = _KINDS[kind]
        moved = {"more" if sign > 0 else "less": amount}
        yield AccountLine(
            day=at.astimezone(UTC).date(), document=label, what=what, currency=currency, **moved
        )
