"""What every process reports about itself, a few times a minute.

Nobody waits for these reports. While PostgreSQL is away, the counts stay in memory, and what is
dropped of them is counted, too.
"""

import json
import time

from django.db import connection, transaction

from events.hub import hub
from operations import instances
from operations.counting import book
from shop.core import site_settings
from shop.core.metrics import NOT_KEPT
from shop.core.process import Process

# A report that a crash of the server loses is made again within seconds.
_WITHOUT_DISK = "SET LOCAL synchronous_commit TO off"
_WRITE_MINUTES = """
INSERT INTO operations_minute (minute, instance_id, run, route, status_class, requests, seconds,
    numbers, counts)
SELECT to_timestamp(minute * 60), %s, run, route, status_class, requests, seconds, numbers, counts
FROM jsonb_to_recordset(%s::jsonb) AS counted (minute bigint, run smallint, route text,
    status_class smallint, requests bigint, seconds float8, numbers smallint[], counts bigint[])
ON CONFLICT (minute, instance_id, run, route, status_class) DO UPDATE SET
    requests = excluded.requests, seconds = excluded.seconds, numbers = excluded.numbers,
    counts = excluded.counts
"""
_WRITE_PRESENCE = """
INSERT INTO operations_presence (minute, instance_id, kind, sockets, users)
SELECT to_timestamp(minute * 60), %s, %s, %s, %s FROM unnest(%s::bigint[]) AS minute
ON CONFLICT (minute, instance_id) DO UPDATE SET sockets = excluded.sockets, users = excluded.users
"""

_began = time.monotonic()
_told: int | None = None
_database_is_ahead: float | None = None
"""The database's time minus ``time.monotonic``, once it is known."""


def report(process: Process) -> float:
    """Write that this process lives, and what it has counted.

    Return in how many seconds to do so again. Raise the database's errors; the counts then wait.
    """
    global _database_is_ahead
    if process.kind == instances.CHILD:
        return 3600.0
    if _database_is_ahead is not None:
        book.enter(int((time.monotonic() + _database_is_ahead) // 60))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_WITHOUT_DISK)
        now = instances.report(
            process,
            age=time.monotonic() - _began,
            dropped=book.dropped + _not_kept(),
            totals=book.totals(),
        )
        if _database_is_ahead is None:
            book.enter(int(now // 60))
        _database_is_ahead = now - time.monotonic()
        _write(process)
    book.written()
    return instances.EVERY_SECONDS


def report_settings(process: Process) -> float:
    """Report at once that this process has other settings, which somebody may wait for."""
    global _told
    if process.kind == instances.CHILD or process.stopping:
        return 3600.0
    if _told not in (None, site_settings.version()):
        report(process)
    _told = site_settings.version()
    return 1.0


def _write(process: Process) -> None:
    rows = book.unwritten()
    users = [] if process.stopping else sorted(hub.connected())
    sockets = 0 if process.stopping else hub.sockets.used
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(_WRITE_MINUTES, [process.id, json.dumps(rows)])
        cursor.execute(
            _WRITE_PRESENCE, [process.id, process.kind, sockets, users, sorted(book.lived)]
        )


def _not_kept() -> int:
    (family,) = NOT_KEPT.collect()
    return int(family.samples[0].value)
