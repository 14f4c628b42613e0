"""Sales by period: purchases, pieces, revenue and customers, for each currency by itself.

Sales are remembered with their position. The ledger only grows, so the sales of a later position
are these and the purchases since, and most answers read no more than those.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import redis
import structlog
from django.core.cache import cache

from events.models import PURCHASE_RECORDED
from insight.statistics.calendar import Period
from insight.statistics.distinct import ANY_PLAN, BY_INDEX, Window, customers_in
from insight.statistics.facts import Scope, State, facts, moments
from insight.statistics.follower import EVENTS, PURCHASES
from insight.statistics.questions import Question

logger = structlog.get_logger(__name__)

CENT = Decimal("0.01")
KEPT_SECONDS = 86_400
GROWN_MAX = 3000
"""After more events than these, adding the roll-ups up takes less time than adding the events."""
STALE = 300
"""After how many events sales are remembered anew, because writing takes longer than adding."""
# It changes with what is remembered, because two versions run during a deploy.
_VERSION = 1


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

    def add(self, purchases: int, quantity: int, revenue: Decimal, customers: int = 0) -> None:
        """Add further purchases, and customers who are in none of the sums so far."""
        self.purchases += purchases
        self.quantity += quantity
        self.revenue += revenue
        self.customers += customers


@dataclass(frozen=True, slots=True)
class Sales:
    """The sums of one currency: of the range, and of each of its periods."""

    totals: Sum
    periods: Sequence[Sum]


Found = dict[str, Sales]
"""Sales by the code of their currency."""

# The key of a row is the number of its period, from 1, and 0 for the whole range.
_GROWN = f"""
WITH bought AS MATERIALIZED (
    SELECT width_bucket(row."timestamp", %(bounds)s::timestamptz[]) AS period, row.currency,
           row.customer_id, row.quantity, row.price * row.quantity AS amount
    FROM {EVENTS} AS event JOIN {PURCHASES} AS row ON row.id = event.id
    WHERE event.type = {PURCHASE_RECORDED}
      AND event.position > %(after)s AND event.position <= %(latest)s
      AND row."timestamp" >= %(first)s AND row."timestamp" < %(last)s {{row}}
), fresh AS MATERIALIZED (
    SELECT DISTINCT asked.period, currency, customer_id, bounds[asked.first] AS start,
           bounds[asked.last] AS until
    FROM bought, (SELECT %(bounds)s::timestamptz[] AS bounds) AS given,
         LATERAL (VALUES (0, 1, cardinality(bounds)), (period, period, period + 1))
            AS asked (period, first, last)
)
SELECT period, currency, count(*), sum(quantity)::bigint, sum(amount), 0
FROM bought GROUP BY period, currency
UNION ALL
SELECT period, currency, 0, 0, 0, count(*) FROM fresh
WHERE NOT EXISTS (
    SELECT FROM {PURCHASES} AS earlier JOIN {EVENTS} AS event ON event.id = earlier.id
    WHERE earlier.customer_id = fresh.customer_id AND earlier.currency = fresh.currency
      AND earlier."timestamp" >= fresh.start AND earlier."timestamp" < fresh.until
      AND event.position <= %(after)s {{earlier}}
)
GROUP BY period, currency
"""  # noqa: S608


def sales(cursor: Any, state: State, question: Question, periods: Sequence[Period]) -> Found:
    """Return the sales of each currency by its code, those with most purchases first."""
    bounds = [each.start for each in periods] + [periods[-1].end]
    scope = question.scope
    key = _key(state, scope, bounds)
    position, found = _remembered(key) if state.adds_tail else (None, {})
    if position is not None and 0 <= state.position - position <= GROWN_MAX:
        if position < state.position:
            _grow(cursor, state, scope, bounds, position, found)
    else:
        position, found = None, _added_up(cursor, state, question, periods, bounds)
    if state.adds_tail and (position is None or state.position - position >= STALE):
        _remember(key, state.position, found)
    return dict(sorted(found.items(), key=lambda item: (-item[1].totals.purchases, item[0])))


def _added_up(
    cursor: Any,
    state: State,
    question: Question,
    periods: Sequence[Period],
    bounds: Sequence[datetime],
) -> Found:
    rows = facts(state, question.scope, bounds)
    cursor.execute(
        f"""SELECT period, currency, sum(purchases)::bigint, sum(quantity)::bigint, sum(revenue)
        FROM {rows.sql} GROUP BY period, currency HAVING sum(purchases) > 0""",  # noqa: S608
        rows.values,
    )
    found: Found = {}
    for period, currency, *sums in cursor.fetchall():
        each = _of(found, currency, len(periods))
        each.periods[period - 1].add(*sums)
        each.totals.add(*sums)
    _add_customers(cursor, state, question, periods, found)
    return found


def _of(found: Found, currency: str, length: int) -> Sales:
    if (each := found.get(currency)) is None:
        each = found[currency] = Sales(Sum(), [Sum() for _ in range(length)])
    return each


def _add_customers(
    cursor: Any,
    state: State,
    question: Question,
    periods: Sequence[Period],
    found: Mapping[str, Sales],
) -> None:
    if question.scope.customer is not None:
        _count_one(found)
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


def _count_one(found: Mapping[str, Sales]) -> None:
    """Set the number of customers, where the sales are those of one."""
    for each in found.values():
        for sums in (each.totals, *each.periods):
            sums.customers = min(1, sums.purchases)


def _grow(
    cursor: Any,
    state: State,
    scope: Scope,
    bounds: Sequence[datetime],
    after: int,
    found: Found,
) -> None:
    """Add the purchases after a position, and the customers whom they brought."""
    statement = _GROWN.format(row=scope.conditions("row"), earlier=scope.conditions("earlier"))
    cursor.execute(BY_INDEX)
    cursor.execute(
        statement,
        {
            **scope.values,
            "bounds": moments(bounds),
            "first": bounds[0],
            "last": bounds[-1],
            "after": after,
            "latest": state.position,
        },
    )
    rows = cursor.fetchall()
    cursor.execute(ANY_PLAN)
    for period, currency, purchases, quantity, revenue, customers in rows:
        each = _of(found, currency, len(bounds) - 1)
        if not period:
            each.totals.customers += customers
            continue
        each.periods[period - 1].add(purchases, quantity, revenue, customers)
        each.totals.add(purchases, quantity, revenue)
    if scope.customer is not None:
        _count_one(found)


def _key(state: State, scope: Scope, bounds: Sequence[datetime]) -> str:
    asked = f"{state.history}|{scope}|{[each.timestamp() for each in bounds]}"
    return f"sales:{_VERSION}:{hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()}"


def _remembered(key: str) -> tuple[int | None, Found]:
    """Return the position of what is remembered, ``None`` for nothing, and the sales."""
    try:
        position, kept = cache.get(key) or (None, {})
    except (redis.RedisError, OSError) as error:
        logger.warning("statistics.not_shared", reason=type(error).__name__)
        return None, {}
    found = {}
    for currency, columns in kept.items():
        totals, *sums = (
            Sum(purchases, quantity, Decimal(cents).scaleb(-2), customers)
            for purchases, quantity, cents, customers in zip(*columns, strict=True)
        )
        found[currency] = Sales(totals, sums)
    return position, found


def _remember(key: str, position: int, found: Found) -> None:
    """Remember sales as columns of whole numbers, which are read much faster than ``Decimal``."""
    kept = {}
    for currency, each in found.items():
        every = (each.totals, *each.periods)
        kept[currency] = (
            [one.purchases for one in every],
            [one.quantity for one in every],
            [int(one.revenue.scaleb(2)) for one in every],
            [one.customers for one in every],
        )
    try:
        cache.set(key, (position, kept), KEPT_SECONDS)
    except (redis.RedisError, OSError) as error:
        logger.warning("statistics.not_shared", reason=type(error).__name__)
