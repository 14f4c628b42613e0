"""Copies the lines of this process into the database, where they can be searched.

Who logs only puts a line into a bounded queue. The thread for the work of every process empties it.
The lines on stderr stay the truth: what finds no place here is counted, said once, and not lost
there. The shipper's own lines, and those of its connections, go to stderr only.
"""

import itertools
import json
import logging
import os
import re
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from logs.levels import LEVELS, kept
from logs.words import words_of
from shop.core.ids import uuid7
from shop.core.outages import is_outage
from shop.core.partitions import make_partitions
from shop.core.process import Process

logger = structlog.get_logger(__name__)

LINES_MAX = 10_000
BYTES_MAX = 8 * 1024 * 1024
BATCH_LINES = 500
BATCH_BYTES = 1024 * 1024
PAUSE_SECONDS = 1.0
_SHARES = {logging.DEBUG: 0.5, logging.INFO: 0.8, logging.WARNING: 1.0}
"""How full the queue may be for lines of a level, so that what is worth most has place last."""
_NOT_OURS = ("psycopg.pool", "logs.shipper")
"""Loggers whose lines the shipper itself causes in an outage, again and again."""
_EVENT = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_TAKEN = {"timestamp", "level", "logger", "event", "request_id", "user_id"}


@dataclass(frozen=True, slots=True)
class Line:
    """An event that was written to stderr, and its id."""

    id: UUID
    at: datetime
    event: dict[str, Any]
    level: int
    size: int


class Shipper:
    """The queue of a process, and what empties it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._dropped = 0
        self._dropped_before = 0
        self._failing = False
        self._busy = threading.local()

    @property
    def queued(self) -> int:
        """Return how many lines wait."""
        return len(self._lines)

    @property
    def dropped(self) -> int:
        """Return how many lines found no place in this process."""
        return self._dropped_before + self._dropped

    @property
    def unsaid(self) -> int:
        """Return how many of them no line tells of yet."""
        return self._dropped

    def put(self, event: dict[str, Any], size: int) -> None:
        """Take a copy of an event, unless there is no place or the shipper itself caused it."""
        if getattr(self._busy, "shipping", False) or str(event.get("logger")).startswith(_NOT_OURS):
            return
        level = LEVELS.get(str(event.get("level")), logging.ERROR)
        share = _SHARES[min(max(level, logging.DEBUG), logging.WARNING)]
        # The time is in the id, so that a line is found by its id.
        at = datetime.fromisoformat(str(event["timestamp"]))
        line = Line(uuid7(int(at.timestamp() * 1_000_000) * 1000), at, event, level, size)
        with self._lock:
            if len(self._lines) >= LINES_MAX * share or self._bytes + size > BYTES_MAX * share:
                self._dropped += 1
                return
            self._lines.append(line)
            self._bytes += size

    def ship(self, process: Process) -> float:
        """Store what waits. Return in how many seconds to do it again."""
        self._busy.shipping = True
        try:
            for _ in range(LINES_MAX // BATCH_LINES):
                if not (batch := self._next()):
                    break
                self._store(batch, process)
                self._forget(len(batch))
                if self._failing:
                    self._failing = False
                    logger.info("logs.shipping_again")
        except Exception as error:
            if not self._failing:
                self._failing = True
                logger.warning("logs.not_shipped", reason=type(error).__name__)
            return PAUSE_SECONDS
        finally:
            self._busy.shipping = False
        self._say_what_was_dropped()
        return PAUSE_SECONDS

    def forget_all(self) -> None:
        """Begin anew, in a process that was forked; the lines are those of its parent."""
        self.__init__()  # type: ignore[misc]

    def _next(self) -> list[Line]:
        batch: list[Line] = []
        size = 0
        with self._lock:
            for line in itertools.islice(self._lines, BATCH_LINES):
                size += line.size
                if batch and size > BATCH_BYTES:
                    break
                batch.append(line)
        return batch

    def _forget(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._bytes -= self._lines.popleft().size

    def _store(self, batch: list[Line], process: Process) -> None:
        """Store a batch, or, where the database refuses something of it, each line that it takes.

        Raise the error of an outage.
        """
        rows = [_row(line, process) for line in batch]
        with suppress(IntegrityError, DataError):
            _insert(rows)
            return
        # The clock has gone ahead, or nobody has made partitions for days.
        for day in {row[0].date() for row in rows}:
            with suppress(DatabaseError):
                make_partitions("logs_entry", day, day)
        for row in rows:
            try:
                _insert([row])
            except DatabaseError as error:
                if is_outage(error):
                    raise
                with self._lock:
                    self._dropped += 1

    def _say_what_was_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            self._dropped_before += dropped
        if dropped:
            structlog.get_logger("logs").warning("logs.dropped", lines=dropped)


_COLUMNS = {
    "at": "timestamptz", "id": "uuid", "kept": "text", "level": "smallint", "part": "text",
    "instance": "text", "logger": "text", "event": "text", "message": "text",
    "request_id": "text", "user_id": "bigint", "fields": "jsonb", "words": "text",
}  # fmt: skip
_INSERT = """
INSERT INTO logs_entry ({names}, words)
SELECT {names}, array_to_tsvector(string_to_array(words, ' '))
FROM unnest({arrays}) AS line ({names}, words) ON CONFLICT DO NOTHING
""".format(
    names=", ".join(name for name in _COLUMNS if name != "words"),
    arrays=", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values()),
)


def _insert(rows: list[tuple[Any, ...]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # A crash of the server may lose the last lines here, and never those on stderr.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _row(line: Line, process: Process) -> tuple[Any, ...]:
    event = line.event
    said = str(event.get("event", ""))
    named = bool(_EVENT.fullmatch(said)) and len(said) <= 100
    user = event.get("user_id")
    fields = {name: value for name, value in event.items() if name not in _TAKEN}
    request_id = str(event.get("request_id") or "")
    name, message = (said, _last_line(fields)) if named else ("", said)
    return (
        line.at,
        line.id,
        str(kept(line.level)),
        line.level,
        "worker" if process.kind == "task" else process.kind,
        str(process.id),
        str(event.get("logger", "")),
        name,
        message,
        request_id,
        user if isinstance(user, int) else None,
        json.dumps(fields),
        " ".join(words_of(name, request_id, fields, message)),
    )


def _last_line(fields: dict[str, Any]) -> str:
    """Return what an exception says of itself, as the message of a line that has none."""
    return str(fields.get("exception", "")).rstrip().rpartition("\n")[2]


shipper = Shipper()
os.register_at_fork(after_in_child=shipper.forget_all)


def ship(process: Process) -> float:
    """Empty the queue of this process; see ``shop.core.process``."""
    return shipper.ship(process)
