"""Items, customers, cohorts and the hours of the week."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from events.models import PURCHASE_RECORDED
from insight.statistics.calendar import Period, day_of, offset_changes
from insight.statistics.facts import ODD_OFFSETS_END, Scope, State, facts
from insight.statistics.follower import EVENTS, PURCHASES
from insight.statistics.questions import Question
from insight.statistics.sales import Sum


@dataclass(frozen=True, slots=True)
class Ranked:
    """The items of one currency: the first ones with their names, the sum of the others."""

    totals: Sum
    items: Sequence[tuple[str, Sum]]
    other: Sum
    other_items: int


def items(cursor: Any, state: State, question: Question) -> dict[str, Ranked]:
    """Return the items of each currency by its code, those with most purchases first."""
    rows = facts(state, question.scope, [question.since, question.until], key="item")
    cursor.execute(
        f"""WITH sold AS (
            SELECT currency, key AS item, sum(purchases)::bigint AS purchases,
                   sum(quantity)::bigint AS quantity, sum(revenue) AS revenue
            FROM {rows.sql} GROUP BY currency, key HAVING sum(purchases) > 0
        ), ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY currency ORDER BY {question.order} DESC, item) AS n
            FROM sold
        )
        SELECT currency, n, item, purchases, quantity, revenue, 1
        FROM ranked WHERE n <= %(limit)s
        UNION ALL
        SELECT currency, NULL, NULL, sum(purchases)::bigint, sum(quantity)::bigint, sum(revenue),
               count(*)::int
        FROM ranked WHERE n > %(limit)s GROUP BY currency
        ORDER BY 1, 2""",  # noqa: S608
        {**rows.values, "limit": question.limit},
    )
    found: dict[str, Ranked] = {}
    others: dict[str, tuple[Sum, int]] = {}
    tops: dict[str, list[tuple[str, Sum]]] = {}
    for currency, n, item, purchases, quantity, revenue, count in cursor.fetchall():
        sums = Sum(purchases, quantity, revenue)
        if n is None:
            others[currency] = (sums, count)
        else:
            tops.setdefault(currency, []).append((item, sums))
    for currency, top in tops.items():
        other, count = others.get(currency, (Sum(), 0))
        totals = Sum()
        for sums in (*(each for _item, each in top), other):
            totals.add(sums.purchases, sums.quantity, sums.revenue)
        found[currency] = Ranked(totals, top, other, count)
    return dict(sorted(found.items(), key=lambda one: (-one[1].totals.purchases, one[0])))


@dataclass(frozen=True, slots=True)
class TopCustomer:
    """A customer and what it bought in one currency."""

    id: int
    currency: str
    sums: Sum


@dataclass(frozen=True, slots=True)
class Customers:
    """The customers of a range; ``new`` had bought nothing before it, ``repeat`` bought again."""

    new: int
    returning: int
    repeat: int
    top: Sequence[TopCustomer]

    @property
    def count(self) -> int:
        """Return how many customers bought something."""
        return self.new + self.returning

    @property
    def repeat_rate(self) -> float:
        """Return the share of those who bought more than once in the range."""
        return round(self.repeat / self.count, 4) if self.count else 0.0


def _firsts(state: State, scope: Scope) -> str:
    """Return the query of each customer's first purchase."""
    parts = []
    if scope.customer is None and scope.item is None:
        parts.append(
            f"SELECT customer_id, first_at FROM insight_customer AS row"  # noqa: S608
            f" WHERE version = %(version)s{scope.conditions('row')}"
        )
        if state.adds_tail:
            parts.append(
                f"""SELECT row.customer_id, row."timestamp" AS first_at
                FROM {EVENTS} AS event JOIN {PURCHASES} AS row ON row.id = event.id
                WHERE event.type = {PURCHASE_RECORDED} AND event.position > %(rolled)s
                  AND event.position <= %(latest)s{scope.conditions("row")}"""  # noqa: S608
            )
    else:
        parts.append(
            f"""SELECT customer_id, "timestamp" AS first_at FROM {PURCHASES} AS row
            WHERE {state.has("row")} {scope.conditions("row")}"""  # noqa: S608
        )
    return (
        f"SELECT customer_id, min(first_at) AS first_at FROM ({' UNION ALL '.join(parts)}) AS one"  # noqa: S608
        " GROUP BY customer_id"
    )


def customers(cursor: Any, state: State, question: Question) -> Customers:
    """Return the customers of the range."""
    scope = question.scope
    rows = facts(state, scope, [question.since, question.until], key="customer_id")
    cursor.execute(
        f"""WITH first AS ({_firsts(state, scope)}), bought AS MATERIALIZED (
            SELECT key AS customer_id, currency, sum(purchases)::bigint AS purchases,
                   sum(quantity)::bigint AS quantity, sum(revenue) AS revenue
            FROM {rows.sql} GROUP BY key, currency
        ), whole AS (
            SELECT customer_id, sum(purchases) AS purchases FROM bought GROUP BY customer_id
        ), counted AS (
            SELECT count(*) FILTER (WHERE first.first_at >= %(first)s) AS new, count(*) AS every,
                   count(*) FILTER (WHERE whole.purchases > 1) AS repeat
            FROM whole JOIN first USING (customer_id)
        ), ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY currency ORDER BY {question.order} DESC, customer_id) AS n
            FROM bought
        )
        SELECT counted.new, counted.every, counted.repeat, ranked.customer_id,
               ranked.currency, ranked.purchases, ranked.quantity, ranked.revenue
        FROM counted LEFT JOIN ranked ON ranked.n <= %(limit)s
        ORDER BY ranked.currency, ranked.n""",  # noqa: S608
        {**rows.values, "limit": question.limit},
    )
    found = cursor.fetchall()
    new, every, repeat = found[0][:3]
    top = [
        TopCustomer(id, currency, Sum(purchases, quantity, revenue, 1))
        for id, currency, purchases, quantity, revenue in (row[3:] for row in found)
        if currency is not None
    ]
    return Customers(new, every - new, repeat, top)


def names(cursor: Any, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return the username and the userid of each of these accounts."""
    cursor.execute(
        "SELECT id, username, userid FROM accounts_user WHERE id = ANY (%s)", [sorted(set(ids))]
    )
    return {id: (username, userid) for id, username, userid in cursor.fetchall()}


@dataclass(slots=True)
class Cohort:
    """The customers whose first purchase was in a month, and what they did from then on.

    ``active`` and ``revenue`` have one figure for each month, that of the first purchase included.
    """

    month: date
    customers: int = 0
    active: list[int] = field(default_factory=list)
    revenue: dict[str, list[Decimal]] = field(default_factory=dict)


def cohorts(
    cursor: Any, state: State, question: Question, months: Sequence[Period]
) -> list[Cohort]:
    """Return the cohorts of these months, oldest first; those without a customer are left out."""
    bounds = [each.start for each in months] + [months[-1].end]
    rows = facts(state, question.scope, bounds, key="customer_id")
    firsts = _firsts(state, question.scope)
    # A condition on first_at would make PostgreSQL expect one customer, and look up each by itself.
    cursor.execute(
        f"""WITH first AS ({firsts}), bought AS MATERIALIZED (
            SELECT width_bucket(first.first_at, %(bounds)s::timestamptz[]) AS cohort,
                   fact.period, fact.currency, fact.key, fact.revenue
            FROM {rows.sql} JOIN first ON first.customer_id = fact.key
        )
        SELECT cohort, period, NULL, count(DISTINCT key), NULL::numeric FROM bought
        WHERE cohort BETWEEN 1 AND %(cohorts)s GROUP BY cohort, period
        UNION ALL
        SELECT cohort, period, currency, 0, sum(revenue) FROM bought
        WHERE cohort BETWEEN 1 AND %(cohorts)s GROUP BY cohort, period, currency""",  # noqa: S608
        {**rows.values, "cohorts": len(months)},
    )
    found: dict[int, Cohort] = {}
    for number, period, currency, active, revenue in cursor.fetchall():
        length = len(months) - number + 1
        each = found.setdefault(
            number,
            Cohort(day_of(months[number - 1].start, question.zone), active=[0] * length),
        )
        if currency is None:
            each.active[period - number] = active
        else:
            amounts = each.revenue.setdefault(currency, [Decimal("0.00")] * length)
            amounts[period - number] = revenue
    for each in found.values():
        each.customers = each.active[0]
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True, slots=True)
class Week:
    """Purchases and revenue of one currency by day of the week, and hour of the day."""

    purchases: list[list[int]]
    revenue: list[list[Decimal]]


def weekdays(cursor: Any, state: State, question: Question) -> dict[str, Week]:
    """Return the hours of the week, from ``week_start`` on, for each currency by its code."""
    since, until = question.since, question.until
    oldest, newest = first_and_last(cursor, Scope())
    if oldest is None or oldest >= until or newest < since:
        return {}
    # PostgreSQL has other data of time zones than we have, and takes CET for a fixed offset.
    zone = question.zone
    first = max(since, oldest)
    changes = offset_changes(first, min(until, newest), zone)
    offsets = [each.astimezone(zone).utcoffset() for each in (first, *changes)]
    # A slot of an odd offset may lie in two hours.
    odd = [(since, min(until, ODD_OFFSETS_END))] if since < ODD_OFFSETS_END else []
    bounds = [since, *changes, until]
    rows = facts(state, question.scope, bounds, from_ledger=odd, by_time=True)
    local = "(at AT TIME ZONE 'UTC' + (%(offsets)s::interval[])[period])"
    cursor.execute(
        f"""SELECT extract(isodow FROM {local})::int, extract(hour FROM {local})::int, currency,
               sum(purchases)::bigint, sum(revenue)
        FROM {rows.sql} GROUP BY 1, 2, 3""",  # noqa: S608
        {**rows.values, "offsets": offsets},
    )
    found: dict[str, Week] = {}
    for day, hour, currency, purchases, revenue in cursor.fetchall():
        if (each := found.get(currency)) is None:
            nothing = Decimal("0.00")
            each = Week([[0] * 24 for _ in range(7)], [[nothing] * 24 for _ in range(7)])
            found[currency] = each
        place = (day - 1 - question.week_start) % 7
        each.purchases[place][hour] = purchases
        each.revenue[place][hour] = revenue
    return dict(sorted(found.items(), key=lambda one: (-sum(map(sum, one[1].purchases)), one[0])))


def first_and_last(cursor: Any, scope: Scope) -> tuple[Any, Any]:
    """Return the times of the oldest and the newest purchase, or ``None`` for both."""
    cursor.execute(
        f"""SELECT (SELECT "timestamp" FROM {PURCHASES} AS row WHERE true {scope.conditions("row")}
                ORDER BY "timestamp", id LIMIT 1),
               (SELECT "timestamp" FROM {PURCHASES} AS row WHERE true {scope.conditions("row")}
                ORDER BY "timestamp" DESC, id DESC LIMIT 1)""",  # noqa: S608
        scope.values,
    )
    oldest, newest = cursor.fetchone()
    return oldest, newest
