"""Finding lines: a span of time after the other, so that no search reads more than it may.

Each statement reads one span, which grows while they are answered quickly. A page whose time is
over ends where it has come to, and its cursor goes on from there.

The first span is read by time. If a page is not full after it, its words are rare, and the next
spans are read by the index of words. PostgreSQL would go on by time, because it expects any
beginning of a word in every 200th line.
"""

import json
import time
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from logs.levels import level_name
from logs.search import WIDEST, Search
from shop.core import kept
from shop.core.times import iso

Row = tuple[Any, ...]
Place = tuple[datetime, UUID]
Statement = tuple[str, list[Any]]
Walk = Generator[Statement, list[Row], "Found"]

NOBODY = UUID(int=0)
FIRST_SPAN = timedelta(hours=1)
SMALLEST_SPAN = timedelta(minutes=1)
QUICK_SECONDS = 0.03
SLOW_SECONDS = 0.2
PAGE_SECONDS = 0.3
_COLUMNS = "at, id, level, part, instance, logger, event, message, request_id, user_id, fields"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log, as it is shown."""

    at: datetime
    id: UUID
    level: str
    part: str
    instance: str
    logger: str
    event: str
    message: str
    request_id: str
    user: int | None
    fields: dict[str, Any]

    def as_data(self) -> dict[str, Any]:
        """Return the line as the API shows it."""
        return {
            "id": str(self.id), "at": iso(self.at), "level": self.level, "part": self.part,
            "instance": self.instance, "logger": self.logger, "event": self.event,
            "message": self.message, "request_id": self.request_id, "user": self.user,
            "fields": self.fields,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """Lines, and the place after which the search goes on, if it has not come to its end."""

    lines: list[Line]
    end: Place | None


def walk(
    search: Search,
    limit: int,
    *,
    after: Place | None = None,
    upwards: bool = False,
    seconds: float = PAGE_SECONDS,
) -> Walk:
    """Yield statements, get their rows, and return what was found, the newest line first.

    ``upwards`` begins with the oldest, and returns the oldest first.
    """
    began = time.monotonic()
    first, last = search.since, search.until + _TICK
    if after is not None:
        first, last = (
            (max(first, after[0]), last) if upwards else (first, min(last, after[0] + _TICK))
        )
    rows: list[Row] = []
    span = FIRST_SPAN
    took = 0.0
    edge = start = first if upwards else last
    while (edge < last if upwards else edge > first) and len(rows) <= limit:
        asked = time.monotonic()
        if edge != start and asked - began > seconds:
            return Found([_line(row) for row in rows[:limit]], (edge, NOBODY))
        low, high = (edge, min(last, edge + span)) if upwards else (max(first, edge - span), edge)
        # Where many lines have the words, taking the first ones by time is quicker after all.
        by_words = search.has_words and edge != start and took < SLOW_SECONDS
        rows += yield _statement(
            search, low, high, after, upwards, limit + 1 - len(rows), by_words=by_words
        )
        edge = high if upwards else low
        took = time.monotonic() - asked
        if took < QUICK_SECONDS:
            span = min(span * 4, WIDEST)
        elif took > SLOW_SECONDS:
            span = max(span / 4, SMALLEST_SPAN)
    lines = [_line(row) for row in rows[:limit]]
    return Found(lines, (lines[-1].at, lines[-1].id) if len(rows) > limit else None)


def _statement(
    search: Search,
    low: datetime,
    high: datetime,
    after: Place | None,
    upwards: bool,
    limit: int,
    *,
    by_words: bool,
) -> Statement:
    conditions = ["at >= %s", "at < %s", *search.conditions]
    values: list[Any] = [low, high, *search.values]
    if after is not None:
        conditions.append(f"(at, id) {'>' if upwards else '<'} (%s, %s)")
        values += after
    order = "at, id" if upwards else "at DESC, id DESC"
    text = f"SELECT {_COLUMNS} FROM logs_entry WHERE {' AND '.join(conditions)}"  # noqa: S608
    if by_words:
        text = f"WITH found AS MATERIALIZED ({text}) SELECT * FROM found"  # noqa: S608
    return f"{text} ORDER BY {order} LIMIT {limit}", values


def run(steps: Walk) -> Found:
    """Return what a walk finds, on this thread's connection."""
    rows: Any = None
    with connection.cursor() as cursor:
        while True:
            try:
                text, values = steps.send(rows)
            except StopIteration as end:
                found: Found = end.value
                return found
            cursor.execute(text, values)
            rows = cursor.fetchall()


class Reader:
    """A connection of the event loop that walks."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def run(self, steps: Walk) -> Found:
        """Return what a walk finds."""
        rows: Any = None
        while True:
            try:
                text, values = steps.send(rows)
            except StopIteration as end:
                found: Found = end.value
                return found
            rows = await (await self._raw.execute(text, values)).fetchall()


@asynccontextmanager
async def reading() -> AsyncIterator[Reader]:
    """Yield a reader."""
    raw = await kept.take("default")
    try:
        yield Reader(raw)
    except BaseException:
        await raw.close()
        raise
    kept.keep("default", raw)


def line_of(id: UUID) -> Line | None:
    """Return the line with this id, or ``None``. The time in the id says where to look."""
    if id.version != 7:
        return None
    made = datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
    around = timedelta(seconds=2)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM logs_entry WHERE id = %s AND at BETWEEN %s AND %s",  # noqa: S608
            [id, made - around, made + around],
        )
        row = cursor.fetchone()
    return None if row is None else _line(row)


def lines_around(line: Line, before: int, after: int) -> list[Line]:
    """Return a line between those before and after it, of all parts, the newest first."""
    search = Search(line.at - WIDEST / 2, line.at + WIDEST / 2)
    place = (line.at, line.id)
    older = run(walk(search, before, after=place)).lines if before else []
    newer = run(walk(search, after, after=place, upwards=True)).lines if after else []
    return [*reversed(newer), line, *older]


def _line(row: Row) -> Line:
    at, id, level, part, instance, logger, event, message, request_id, user, fields = row
    # Django's connections leave JSON as text.
    fields = json.loads(fields) if isinstance(fields, str) else fields
    return Line(
        at, id, level_name(level), part, instance, logger, event, message, request_id, user, fields
    )
