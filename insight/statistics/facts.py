"""What the statistics read: roll-ups, the end of the log that they lack, and pieces of the ledger.

All statements of an answer see one state of the database. The roll-ups are true at the position of
their follower, and the events after it are added to them. So every figure is exact at the position
of the answer, also while the follower lags.

A row of a roll-up belongs to a quarter of an hour or a day of UTC. If a bound of the wanted periods
falls inside such a unit, the unit is read from the ledger instead. If a day of items is cut by one
bound, the ledger is read for the shorter part of it, which is added or taken away.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connections, transaction

from events.models import PURCHASE_RECORDED, FollowerCursor, Outbox
from events.selectors import POSITION_FLOORS
from insight.models import SLOT_SECONDS
from insight.statistics.follower import EVENTS, NAME, PURCHASES
from shop.core.database import statement_deadline
from shop.core.errors import Unavailable
from shop.core.outages import sqlstate

LAG_MAX = 20_000
"""How many events after the follower's position are added; beyond, the answer is not exact."""
DEADLINE_SECONDS = 10
SETTLE_SECONDS = 0.5
"""How long a reader waits for the positions of purchases that are recorded already."""
ODD_OFFSETS_END = datetime(1979, 10, 1, tzinfo=UTC)
"""Before this moment, offsets of some zones are no multiples of a quarter of an hour."""
_CANCELED = "57014"
_OUTBOX = Outbox._meta.db_table
_DAY = timedelta(days=1)
_SLOT = timedelta(seconds=SLOT_SECONDS)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_STATE = f"""
SELECT coalesce(max(cursor.position), 0), coalesce(max(cursor.version), 0),
       coalesce((SELECT max(position) FROM {EVENTS}), 0), statement_timestamp(),
       coalesce(array_to_string({POSITION_FLOORS}, ','), '')
FROM {FollowerCursor._meta.db_table} AS cursor WHERE name = '{NAME}'
"""  # noqa: S608
_WAITING = f"""
SELECT array_agg(id) FROM (
    SELECT id FROM {_OUTBOX} WHERE type = {PURCHASE_RECORDED} LIMIT 5000) AS waiting
"""  # noqa: S608
_STILL = f"SELECT EXISTS (SELECT FROM {_OUTBOX} WHERE id = ANY (%s))"  # noqa: S608


class TooMuch(Unavailable):
    """There is more to add up than can be before the deadline."""

    detail = "There is too much to add up at once. Try again shortly, or take a shorter range."
    retry_after = 5


@dataclass(frozen=True, slots=True)
class State:
    """What the roll-ups and the log have.

    ``rolled`` is the position of the roll-ups of ``version``, ``latest`` that of the log.
    ``history`` changes when a restore has taken events away.
    """

    rolled: int
    version: int
    latest: int
    at: datetime
    history: str
    is_settled: bool

    @property
    def adds_tail(self) -> bool:
        """Return whether the events after the roll-ups' position are few enough to be added."""
        return self.latest - self.rolled <= LAG_MAX

    @property
    def position(self) -> int:
        """Return the position that the figures are true at."""
        return self.latest if self.adds_tail else self.rolled

    def has(self, row: str) -> str:
        """Return the SQL condition that a row of the ledger counts at the position."""
        if self.adds_tail:
            return f"{row}.id NOT IN (SELECT id FROM {_OUTBOX} WHERE type = {PURCHASE_RECORDED})"  # noqa: S608
        return (
            f"EXISTS (SELECT FROM {EVENTS} AS told WHERE told.id = {row}.id"
            f" AND told.type = {PURCHASE_RECORDED} AND told.position <= %(rolled)s)"
        )

    @property
    def is_exact(self) -> bool:
        """Return whether the figures have every purchase recorded before they were read."""
        return self.adds_tail and self.is_settled


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose purchases, of which item and currency; ``None`` are all of them."""

    customer: int | None = None
    item: str | None = None
    currency: str | None = None

    def conditions(self, table: str) -> str:
        """Return the SQL that these conditions add, for a table that has these columns."""
        found = ""
        for column, value in (
            ("customer_id", self.customer),
            ("item", self.item),
            ("currency", self.currency),
        ):
            if value is not None:
                found += f" AND {table}.{column} = %({column})s"
        return found

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the parameters of the conditions."""
        return {"customer_id": self.customer, "item": self.item, "currency": self.currency}


@contextmanager
def snapshot(using: str, seconds: float = DEADLINE_SECONDS) -> Iterator[tuple[Any, State]]:
    """Yield a cursor whose statements all see one state of the database, and that state.

    Raise ``TooMuch`` if a statement takes longer than ``seconds``.
    """
    is_settled = _settle(using)
    connection = connections[using]
    nested = connection.in_atomic_block
    try:
        with transaction.atomic(using=using), connection.cursor() as cursor:
            if not nested:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            with statement_deadline(using, seconds):
                # Sorts of large ranges stay in memory.
                cursor.execute("SET LOCAL work_mem = '32MB'; SET LOCAL jit = off")
                cursor.execute(_STATE)
                rolled, version, latest, at, history = cursor.fetchone()
                yield cursor, State(rolled, version, latest, at, history, is_settled)
    except OperationalError as error:
        if sqlstate(error) == _CANCELED:
            raise TooMuch from error
        raise


def _settle(using: str) -> bool:
    """Wait shortly until the relay has numbered what is recorded by now; return whether it has."""
    with connections[using].cursor() as cursor:
        cursor.execute(_WAITING)
        (waiting,) = cursor.fetchone()
        pause, until = 0.005, time.monotonic() + SETTLE_SECONDS
        while waiting is not None:
            cursor.execute(_STILL, [waiting])
            if not cursor.fetchone()[0]:
                break
            if time.monotonic() > until:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
    return True


@dataclass(frozen=True, slots=True)
class Facts:
    """A statement's FROM item, ``sql``, and its parameters.

    Its rows have ``period``, which counts from 1, ``at``, the start of the unit or the time of the
    purchase, the ``key``, ``currency`` and the sums.
    """

    sql: str
    values: Mapping[str, Any]


def moments(bounds: Sequence[datetime]) -> str:
    """Return the literal of an array of times; psycopg would quote each of them by itself."""
    return "{" + ",".join([each.isoformat() for each in bounds]) + "}"


def floor(moment: datetime, unit: timedelta) -> datetime:
    """Return the start of the unit of UTC that a moment is in."""
    return moment - (moment - _EPOCH) % unit


def pieces(
    bounds: Sequence[datetime], unit: timedelta, more: Sequence[tuple[datetime, datetime]] = ()
) -> list[tuple[datetime, datetime]]:
    """Return the ranges, within the bounds, of the units that no roll-up can tell.

    Those are the units with a bound inside, and the ranges in ``more``.
    """
    first, last = bounds[0], bounds[-1]
    cut = [(floor(each, unit), floor(each, unit) + unit) for each in bounds if _inside(each, unit)]
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted([*cut, *more]):
        start, end = max(start, first), min(end, last)
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut_days(
    first: datetime, last: datetime, now: datetime
) -> tuple[list[tuple[datetime, datetime]], list[datetime], list[tuple[datetime, datetime]]]:
    """Return what the ledger is read for, where the days of UTC at both ends are not whole.

    The shorter part of each such day is read, and the future is short, because hardly anything is
    bought there. Return the parts to add; the days that are taken from the roll-up nevertheless;
    and the parts to take away from these.
    """
    added, whole, less = [], [], []
    for day in dict.fromkeys(floor(each, _DAY) for each in (first, last) if _inside(each, _DAY)):
        start, end = max(day, first), min(day + _DAY, last)
        rest = [(day, start), (end, day + _DAY)]
        passed = sum(
            (max(min(until, now) - since, timedelta()) for since, until in rest), timedelta()
        )
        if passed < min(end, now) - start:
            whole.append(day)
            less += [each for each in rest if each[0] < each[1]]
        else:
            added.append((start, end))
    return added, whole, less


def _inside(moment: datetime, unit: timedelta) -> bool:
    return floor(moment, unit) != moment


def facts(
    state: State,
    scope: Scope,
    bounds: Sequence[datetime],
    *,
    key: str = "",
    from_ledger: Sequence[tuple[datetime, datetime]] = (),
    by_time: bool = False,
    summed: bool = True,
) -> Facts:
    """Return the purchases between the bounds.

    ``key`` is ``item``, ``customer_id`` or empty. ``from_ledger`` are more ranges that the ledger
    is read for. With ``by_time`` the rows have times of a quarter of an hour or better.
    Without ``summed`` the rows of roll-ups have no sums, so an index alone is read for them.
    """
    wanted = {key} - {""}
    if scope.customer is not None:
        wanted.add("customer_id")
    if scope.item is not None:
        wanted.add("item")
    first, last = bounds[0], bounds[-1]
    table, unit, at = "", _SLOT, ""
    if not wanted:
        table, unit, at = "insight_slot", _SLOT, "slot"
    elif by_time:
        table = ""
    elif wanted == {"item"}:
        table, unit, at = "insight_item_day", _DAY, "day"
    elif wanted == {"customer_id"} and scope.customer is None:
        table, unit, at = "insight_customer_day", _DAY, "day"
    ledger = pieces(bounds, unit, from_ledger) if table else [(first, last)]
    whole: list[datetime] = []
    less: list[tuple[datetime, datetime]] = []
    if table == "insight_item_day" and len(bounds) == 2 and state.adds_tail:
        ledger, whole, less = _cut_days(first, last, state.at)
    sums = "purchases, quantity, revenue"
    selected = f"{{period}} AS period, {{at}} AS at, {{key}} AS key, currency, {sums}"
    rolled_up = selected if summed else selected.replace(sums, "0, 0, 0")
    name = key or "NULL"
    values: dict[str, Any] = {
        **scope.values,
        "bounds": moments(bounds),
        "first": first,
        "last": last,
        "version": state.version,
        "rolled": state.rolled,
        "latest": state.latest,
        "starts": [start for start, _end in ledger],
        "ends": [end for _start, end in ledger],
        "less_starts": [start for start, _end in less],
        "less_ends": [end for _start, end in less],
    }
    parts = []
    if table and ledger != [(first, last)]:
        at_sql = "(row.day::timestamp AT TIME ZONE 'UTC')" if at == "day" else "row.slot"
        column = "row.day" if at == "day" else "row.slot"
        cast = "::date" if at == "day" else ""
        # Pieces at both ends only shorten the range.
        inner = list(ledger)
        start = inner.pop(0)[1] if inner and inner[0][0] == first else first
        end = inner.pop()[0] if inner and inner[-1][1] == last else last
        start = floor(start, unit) if floor(start, unit) in whole else start
        end = floor(end, unit) + unit if floor(end, unit) in whole else end
        values |= {
            "from_unit": _unit(start, unit, up=True, day=at == "day"),
            "to_unit": _unit(end, unit, up=False, day=at == "day"),
            "odd": _units(inner, unit, day=at == "day"),
        }
        odd = (
            f" AND {column} <> ALL (%(odd)s{cast}[])" if cast else f" AND {column} <> ALL (%(odd)s)"
        )
        parts.append(
            f"SELECT {rolled_up.format(period=_bucket(at_sql, bounds), at=at_sql, key=name)}"  # noqa: S608
            f" FROM {table} AS row WHERE version = %(version)s"
            f" AND {column} >= %(from_unit)s{cast} AND {column} < %(to_unit)s{cast}"
            f"{odd if values['odd'] else ''}{scope.conditions('row')}"
        )
    single = selected.replace(sums, "1 AS purchases, quantity, price * quantity AS revenue")
    single = single.format(period=_bucket('"timestamp"', bounds), at='"timestamp"', key=name)
    single = single.replace("customer_id AS key", "row.customer_id AS key")
    if ledger:
        parts.append(
            f"""SELECT {single}
            FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS piece (start, until)
            JOIN {PURCHASES} AS row
              ON row."timestamp" >= piece.start AND row."timestamp" < piece.until
            WHERE {state.has("row")} {scope.conditions("row")}"""  # noqa: S608
        )
    if less:
        negative = single.replace("1 AS purchases, quantity, price", "-1, -quantity, -price")
        parts.append(
            f"""SELECT {negative}
            FROM unnest(%(less_starts)s::timestamptz[], %(less_ends)s::timestamptz[])
                AS piece (start, until)
            JOIN {PURCHASES} AS row
              ON row."timestamp" >= piece.start AND row."timestamp" < piece.until
            WHERE {state.has("row")} AND row.id NOT IN (
                SELECT id FROM {EVENTS} WHERE type = {PURCHASE_RECORDED}
                  AND position > %(rolled)s AND position <= %(latest)s)
            {scope.conditions("row")}"""  # noqa: S608
        )
    if table and state.adds_tail and state.latest > state.rolled:
        parts.append(
            f"""SELECT {single}
            FROM {EVENTS} AS event JOIN {PURCHASES} AS row ON row.id = event.id
            WHERE event.type = {PURCHASE_RECORDED}
              AND event.position > %(rolled)s AND event.position <= %(latest)s
              AND row."timestamp" >= %(first)s AND row."timestamp" < %(last)s
              AND NOT EXISTS (
                SELECT FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
                    AS piece (start, until)
                WHERE row."timestamp" >= piece.start AND row."timestamp" < piece.until)
            {scope.conditions("row")}"""  # noqa: S608
        )
    return Facts("(" + " UNION ALL ".join(parts) + ") AS fact", values)


def _bucket(at: str, bounds: Sequence[datetime]) -> str:
    return "1" if len(bounds) == 2 else f"width_bucket({at}, %(bounds)s::timestamptz[])"


def _unit(moment: datetime, unit: timedelta, *, up: bool, day: bool) -> Any:
    start = floor(moment, unit)
    if up and start != moment:
        start += unit
    return start.astimezone(UTC).date() if day else start


def _units(ranges: Sequence[tuple[datetime, datetime]], unit: timedelta, *, day: bool) -> list[Any]:
    """Return the units that the ledger is read for."""
    found = []
    for start, end in ranges:
        at = floor(start, unit)
        while at < end:
            found.append(at.astimezone(UTC).date() if day else at)
            at += unit
    return found
