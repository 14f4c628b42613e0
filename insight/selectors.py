"""Figures of a short period, read from the roll-ups, or from the ledger through its indexes.

Each figure is one statement with a deadline, because a busy day may hold more purchases than can be
summed while somebody waits. A figure that misses it raises ``TooMany``, and none is estimated.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connections, transaction

from accounts.models import User
from insight.periods import HOURS, Period
from insight.statistics.facts import Scope, TooMuch, facts, snapshot
from purchases.models import Purchase
from purchases.totals import Sum
from shop.core.outages import sqlstate

DEADLINE_SECONDS = 2.5
ITEMS = 6
CUSTOMERS = 5
CUSTOMERS_READ = 10_000
"""How many of the newest accounts are looked at for new customers."""
MINUTE_MAX = 100_000
"""How many purchases of the last minute are counted."""
_CANCELED = "57014"
_HOUR = timedelta(hours=1)

_PURCHASES = Purchase._meta.db_table
_USERS = User._meta.db_table


class TooMany(Exception):
    """There are more purchases than can be summed before the deadline."""


@dataclass(frozen=True, slots=True)
class Turnover:
    """The purchases of a period: the day by currency, and how many in each of 24 hours."""

    day: list[Sum]
    hours: list[int]

    @property
    def purchases(self) -> int:
        """Return how many purchases the day has."""
        return sum(each.purchases for each in self.day)


@dataclass(frozen=True, slots=True)
class ItemSum:
    """What was sold of an item: how often, how many pieces, and for how much by currency."""

    item: str
    purchases: int
    quantity: int
    amounts: list[tuple[str, Decimal]]


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """An account of a customer, and when it was made."""

    username: str
    userid: str
    joined: datetime


@dataclass(frozen=True, slots=True)
class NewCustomers:
    """How many customers are new. If ``more``, there are more than that."""

    count: int
    more: bool
    newest: list[NewCustomer]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many purchases were recorded in the last minute, whenever they were bought."""

    count: int
    more: bool


_ITEMS = """
WITH sold AS (
    SELECT key AS item, currency, sum(purchases) AS purchases, sum(quantity) AS quantity,
           sum(revenue) AS amount
    FROM {rows} GROUP BY key, currency HAVING sum(purchases) > 0
)
SELECT item, sum(purchases)::bigint, sum(quantity)::bigint,
       array_agg(currency ORDER BY purchases DESC, currency),
       array_agg(amount ORDER BY purchases DESC, currency)
FROM sold GROUP BY item ORDER BY 2 DESC, 3 DESC, item LIMIT %(limit)s
"""
# Ids of accounts grow with time, so the newest accounts have the highest.
_CUSTOMERS = f"""
WITH newest AS (
    SELECT id, username, userid, date_joined, is_staff OR is_client OR NOT is_active AS other
    FROM {_USERS} ORDER BY id DESC LIMIT {CUSTOMERS_READ}
), joined AS (
    SELECT * FROM newest
    WHERE date_joined >= %(day)s AND date_joined < %(until)s AND NOT other
)
SELECT (SELECT count(*) FROM joined),
       (SELECT count(*) = {CUSTOMERS_READ} AND min(date_joined) >= %(day)s FROM newest),
       username, userid, date_joined
FROM (SELECT 1) AS always LEFT JOIN joined ON true
ORDER BY id DESC LIMIT {CUSTOMERS}
"""  # noqa: S608
# The ids of purchases tell when they were recorded.
_RATE = f"""
SELECT count(*) FROM (
    SELECT FROM {_PURCHASES}
    WHERE id >= (SELECT uuidv7(interval '-1 minute')) LIMIT {MINUTE_MAX + 1}
) AS recent
"""  # noqa: S608
# A replica that has nothing left to replay is up to date.
_STATE = f"""
SELECT CASE WHEN pg_is_in_recovery()
                 AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
            THEN coalesce(pg_last_xact_replay_timestamp(), statement_timestamp())
            ELSE statement_timestamp() END,
       (SELECT max("timestamp") FROM {_PURCHASES})
"""  # noqa: S608


@contextmanager
def _in_time(using: str) -> Iterator[Any]:
    """Yield a cursor whose statements have a deadline; raise ``TooMany`` if one misses it."""
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {int(DEADLINE_SECONDS * 1000)}")
            yield cursor
    except OperationalError as error:
        if sqlstate(error) == _CANCELED:
            raise TooMany from error
        raise


def _rows(using: str, statement: str, period: Period | None = None) -> Sequence[tuple[Any, ...]]:
    parameters = period and {
        "day": period.day,
        "hours": period.hours,
        "since": period.since,
        "until": period.until,
    }
    with _in_time(using) as cursor:
        cursor.execute(statement, parameters)
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows


def state(using: str) -> tuple[datetime, datetime | None]:
    """Return up to when the database has what was recorded, and the time of the last purchase."""
    known_until, newest = _rows(using, _STATE)[0]
    return known_until, newest


def turnover(using: str, period: Period) -> Turnover:
    """Return the purchases of a period by the time of purchase; raise ``TooMany``."""
    hours = [0] * HOURS
    sums: dict[str, Sum] = {}
    begins = {period.since, period.day, *map(period.hour_begins, range(HOURS))}
    bounds = [*sorted(each for each in begins if each < period.until), period.until]
    statement = (
        "SELECT period, currency, sum(purchases)::bigint, sum(revenue)"
        " FROM {rows} GROUP BY period, currency"
    )
    for place, currency, count, amount in _rolled_up(using, statement, bounds):
        start = bounds[place - 1]
        hour = (start - period.hours) // _HOUR
        # On a day of 25 hours the day begins before the 24 hours do.
        if 0 <= hour < HOURS:
            hours[hour] += count
        if start >= period.day:
            sums[currency] = sums.get(currency, Sum(currency)).and_also(count, amount)
    return Turnover(sorted(sums.values(), key=lambda one: (-one.purchases, one.currency)), hours)


def top_items(using: str, period: Period) -> list[ItemSum]:
    """Return what was bought most often on the period's day; raise ``TooMany``."""
    bounds = [period.day, period.until]
    return [
        ItemSum(item, purchases, quantity, list(zip(currencies, amounts, strict=True)))
        for item, purchases, quantity, currencies, amounts in _rolled_up(
            using, _ITEMS, bounds, key="item"
        )
    ]


def _rolled_up(
    using: str, statement: str, bounds: Sequence[datetime], key: str = ""
) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a statement over the purchases between the bounds, its ``{rows}``."""
    try:
        with snapshot(using, DEADLINE_SECONDS) as (cursor, state):
            rows = facts(state, Scope(), bounds, key=key)
            cursor.execute(statement.format(rows=rows.sql), {**rows.values, "limit": ITEMS})
            found: Sequence[tuple[Any, ...]] = cursor.fetchall()
    except TooMuch as error:
        raise TooMany from error
    return found


def new_customers(using: str, period: Period) -> NewCustomers:
    """Return the accounts of customers made in the period's part of its day; raise ``TooMany``."""
    rows = _rows(using, _CUSTOMERS, period)
    count, more, *_ = rows[0]
    newest = [NewCustomer(*row[2:]) for row in rows if row[2] is not None]
    return NewCustomers(count, bool(more), newest)


def rate(using: str) -> Rate:
    """Return how many purchases were recorded in the last minute; raise ``TooMany``."""
    (count,) = _rows(using, _RATE)[0]
    return Rate(min(count, MINUTE_MAX), count > MINUTE_MAX)
