"""Sums of purchases, each over a bounded number, so that no page waits for a large ledger.

Amounts of different currencies are never added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connections
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.access import Caller
from purchases.models import Purchase
from shop.core import times
from shop.core.charts import Chart, Point, bar_chart
from shop.core.merged import Merged
from shop.core.money import shown
from shop.core.replica import database_for
from shop.core.times import sql_zone

BOUND = 10_000
"""How many purchases a sum reads at most: the newest."""
MONTHS = 12
CHARTS = 3
_FIELDS = ("id", "timestamp", "price", "quantity", "currency")
# PostgreSQL adds the amounts up, because fetching the rows would take ten times as long.
_TOTALS = """
SELECT currency, count(*), sum(price * quantity) FROM ({}) AS newest
GROUP BY currency ORDER BY count(*) DESC, currency
"""
_BY_MONTH = """
SELECT date_trunc('month', "timestamp" AT TIME ZONE %s)::date AS month,
       currency, count(*), sum(price * quantity)
FROM ({}) AS newest GROUP BY month, currency ORDER BY month, currency
"""


@dataclass(frozen=True, slots=True)
class Sum:
    """The purchases in one currency: how many there are, and their amount."""

    currency: str
    purchases: int = 0
    amount: Decimal = Decimal(0)

    def and_also(self, purchases: int, amount: Decimal) -> "Sum":
        """Return the sum with further purchases."""
        return Sum(self.currency, self.purchases + purchases, self.amount + amount)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums by currency, the one with most purchases first.

    ``complete`` is false if there are more purchases than ``BOUND``. The sums are then those of the
    newest, and the whole is more, because no price is negative.
    """

    amounts: Sequence[Sum]
    complete: bool

    @property
    def count(self) -> int:
        """Return the number of purchases, at most ``BOUND``."""
        return min(BOUND, sum(each.purchases for each in self.amounts))


@dataclass(frozen=True, slots=True)
class Spending:
    """What a customer spent in each of the last months, by currency.

    ``months`` has the first days of all months, oldest first; ``by_currency`` has an amount for
    each of them. Before ``complete_from``, which is a month, or ``None`` for all, some are missing.
    """

    months: Sequence[date]
    by_currency: dict[str, list[Sum]]
    complete_from: date | None

    def since(self, first: date) -> Totals:
        """Return the sums of the months from ``first`` on."""
        start = self.months.index(first)
        sums = [
            Sum(
                currency,
                sum(each.purchases for each in amounts[start:]),
                sum((each.amount for each in amounts[start:]), Decimal(0)),
            )
            for currency, amounts in self.by_currency.items()
        ]
        found = sorted((each for each in sums if each.purchases), key=lambda each: -each.purchases)
        return Totals(found, self.complete_from is None or self.complete_from <= first)

    @property
    def this_month(self) -> Totals:
        """Return the sums of the present month."""
        return self.since(self.months[-1])

    @property
    def this_year(self) -> Totals:
        """Return the sums of the present year."""
        return self.since(self.months[-1].replace(month=1))


def totals_of(purchases: Merged[Purchase]) -> Totals:
    """Return the sums of these purchases; an index should give their time order."""
    rows = _newest(purchases, _TOTALS)
    amounts = [Sum(*row) for row in rows]
    return Totals(amounts, sum(each.purchases for each in amounts) <= BOUND)


def spending_of(caller: Caller) -> Spending:
    """Return what the caller bought in the last twelve months of the reader's time zone."""
    today = timezone.localdate()
    months = [_month_before(today, back) for back in reversed(range(MONTHS))]
    start = datetime(months[0].year, months[0].month, 1, tzinfo=timezone.get_current_timezone())
    own = Purchase.objects.using(database_for(caller.id)).filter(
        customer_id=caller.id, timestamp__gte=start
    )
    rows = _newest(Merged(own), _BY_MONTH, sql_zone(timezone.get_current_timezone_name()))
    places = {month: place for place, month in enumerate(months)}
    by_currency: dict[str, list[Sum]] = {}
    for month, currency, count, amount in rows:
        # A purchase may be a few minutes in the future, in the month that follows.
        place = places.get(month, MONTHS - 1)
        amounts = by_currency.setdefault(currency, [Sum(currency) for _ in months])
        amounts[place] = amounts[place].and_also(count, amount)
    by_currency = dict(
        sorted(by_currency.items(), key=lambda item: -sum(each.purchases for each in item[1]))
    )
    complete_from = None
    if sum(row[2] for row in rows) > BOUND:
        # The oldest month that was reached may have more.
        oldest = min(row[0] for row in rows)
        complete_from = next((month for month in months if month > oldest), months[-1])
        if oldest >= months[-1]:
            complete_from = date.max
    return Spending(months, by_currency, complete_from)


def spending_charts(spending: Spending) -> list[Chart]:
    """Return the bars of each month, a chart for each of the currencies with most purchases."""
    places = [
        place
        for place, month in enumerate(spending.months)
        if spending.complete_from is None or month >= spending.complete_from
    ]

    def chart(currency: str, amounts: Sequence[Sum]) -> Chart:
        points = [
            Point(
                label=date_format(spending.months[place], "M"),
                name=times.month(spending.months[place]),
                value=amounts[place].amount,
                text=shown(amounts[place].amount, currency),
            )
            for place in places
        ]
        title = _("What you spent by month, in %s") % currency
        return bar_chart(points, title=title, headings=(_("Month"), _("Amount")))

    return [chart(*each) for each in list(spending.by_currency.items())[:CHARTS]] if places else []


def _month_before(day: date, months: int) -> date:
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, 1)


def _newest(purchases: Merged[Purchase], statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    newest = purchases.order_by("-timestamp", "-id").first_rows(BOUND + 1)
    sql, values = newest.values_list(*_FIELDS).query.sql_with_params()
    with connections[purchases.db].cursor() as cursor:
        cursor.execute(statement.format(sql), [*parameters, *values])
        return cursor.fetchall()
