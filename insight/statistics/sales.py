"""Sales by period: purchases, pieces, revenue and customers, for each currency by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from insight.statistics.calendar import Period
from insight.statistics.distinct import Window, customers_in
from insight.statistics.facts import State, facts
from insight.statistics.questions import Question

CENT = Decimal("0.01")


@dataclass(slots=True)
class Sum:
    """Sums of purchases in one currency."""

    purchases: int = 0
    quantity: int = 0
    revenue: Decimal = Decimal("0.00")
    customers: int = 0

    @property
    def average(self) -> Decimal:
        """Return the revenue of one purchase, rounded to cents; 0 where there is none."""
        if not self.purchases:
            return Decimal("0.00")
        return (self.revenue / self.purchases).quantize(CENT, ROUND_HALF_EVEN)

    def add(self, purchases: int, quantity: int, revenue: Decimal) -> None:
        """Add further purchases, without their customers."""
        self.purchases += purchases
        self.quantity += quantity
        self.revenue += revenue


@dataclass(frozen=True, slots=True)
class Sales:
    """The sums of one currency: of the range, and of each of its periods."""

    totals: Sum
    periods: Sequence[Sum]


def sales(cursor: Any, state: State, question: Question, periods: Sequence[Period]) -> Any:
    """Return the sales of each currency by its code, those with most purchases first."""
    bounds = [each.start for each in periods] + [periods[-1].end]
    rows = facts(state, question.scope, bounds)
    cursor.execute(
        f"""SELECT period, currency, sum(purchases)::bigint, sum(quantity)::bigint, sum(revenue)
        FROM {rows.sql} GROUP BY period, currency""",  # noqa: S608
        rows.values,
    )
    found: dict[str, Sales] = {}
    for period, currency, *sums in cursor.fetchall():
        if (each := found.get(currency)) is None:
            each = found[currency] = Sales(Sum(), [Sum() for _ in periods])
        each.periods[period - 1].add(*sums)
        each.totals.add(*sums)
    _add_customers(cursor, state, question, periods, found)
    return dict(sorted(found.items(), key=lambda item: (-item[1].totals.purchases, item[0])))


def _add_customers(
    cursor: Any,
    state: State,
    question: Question,
    periods: Sequence[Period],
    found: Mapping[str, Sales],
) -> None:
    every = [sums for each in found.values() for sums in (each.totals, *each.periods)]
    if question.scope.customer is not None:
        for sums in every:
            sums.customers = min(1, sums.purchases)
        return
    windows: dict[Window, int] = {}
    for place, period in enumerate(periods):
        if purchases := sum(each.periods[place].purchases for each in found.values()):
            windows[period.start, period.end] = purchases
    whole = (periods[0].start, periods[-1].end)
    if found:
        windows[whole] = sum(each.totals.purchases for each in found.values())
    counted = customers_in(cursor, state, question.scope, windows)
    for currency, each in found.items():
        for period, sums in zip(periods, each.periods, strict=True):
            sums.customers = counted.get((period.start, period.end), {}).get(currency, 0)
        each.totals.customers = counted[whole].get(currency, 0)
