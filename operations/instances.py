"""Instances: the processes of the shop that report every few seconds that they live.

Only the database's clock counts, because the clocks of several machines differ. Who has not
reported for ``GONE_SECONDS`` is in no count any more.
"""

import json
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection

from events.hub import hub
from operations.site_settings import OPERATIONS_KEEP_DAYS
from shop.core import site_settings
from shop.core.process import Process

EVERY_SECONDS = 5.0
LATE_SECONDS = 12
GONE_SECONDS = 30
SHOWN = "1 day"
"""How long a process that is gone stays in the list."""
STATES = ("alive", "late", "gone")
CHILD = "task"
"""The kind of a worker's children, which come and go with the load, so they are no instances."""

# An UPDATE alone would be lost where the row is not there yet.
_REPORT = """
INSERT INTO operations_instance (id, kind, host, pid, version, settings_version, started_at,
    seen_at, stopped_at, sockets, memory, users, dropped, totals)
VALUES (%(id)s, %(kind)s, %(host)s, %(pid)s, %(version)s, %(settings_version)s,
    clock_timestamp() - make_interval(secs => %(age)s), clock_timestamp(),
    CASE WHEN %(stopping)s THEN clock_timestamp() END, %(sockets)s, %(memory)s, %(users)s,
    %(dropped)s, %(totals)s)
ON CONFLICT (id) DO UPDATE SET settings_version = excluded.settings_version,
    seen_at = greatest(operations_instance.seen_at, excluded.seen_at),
    stopped_at = excluded.stopped_at, sockets = excluded.sockets, memory = excluded.memory,
    users = excluded.users, dropped = excluded.dropped,
    totals = excluded.totals
RETURNING extract(epoch FROM clock_timestamp())::float8
"""
STATE = f"""CASE
    WHEN stopped_at IS NOT NULL OR seen_at < now() - interval '{GONE_SECONDS} seconds' THEN 'gone'
    WHEN seen_at < now() - interval '{LATE_SECONDS} seconds' THEN 'late'
    ELSE 'alive'
END"""
"""The SQL of an instance's state."""
_LIST = f"""
SELECT id, kind, host, pid, version, settings_version, started_at, seen_at, {STATE}, sockets,
    memory, dropped
FROM operations_instance
WHERE seen_at > now() - interval '{SHOWN}'
ORDER BY array_position(ARRAY['alive', 'late', 'gone'], {STATE}), kind, started_at, id
"""  # noqa: S608
LIVING = f"""stopped_at IS NULL AND seen_at >= now() - interval '{GONE_SECONDS} seconds'"""
"""The SQL that is true for an instance that counts."""
_COUNTS = f"""
SELECT kind, count(*) FROM operations_instance WHERE {LIVING} GROUP BY kind ORDER BY kind
"""  # noqa: S608
_CONNECTED = f"""
SELECT (SELECT count(DISTINCT account) FROM operations_instance, unnest(users) AS account
        WHERE {LIVING}),
    (SELECT coalesce(sum(sockets), 0) FROM operations_instance WHERE {LIVING})
"""  # noqa: S608


_TOTALS = f"""
SELECT id::text, kind, host, version, sockets, memory, totals FROM operations_instance
WHERE {LIVING} ORDER BY kind, id
"""  # noqa: S608
Totals = Sequence[tuple[str, int, int, float]]


@dataclass(frozen=True, slots=True)
class Seen:
    """An instance as the list shows it. ``memory`` is in bytes."""

    id: UUID
    kind: str
    host: str
    pid: int
    version: str
    settings_version: int | None
    started_at: datetime
    seen_at: datetime
    state: str
    sockets: int
    memory: int
    dropped: int


def report(process: Process, *, age: float, dropped: int = 0, totals: Totals = ()) -> float:
    """Write that the process lives. Return the database's time, in seconds since 1970.

    ``age`` is how long the process has been running, in seconds. ``totals`` are the requests and
    their seconds since then, by route and class of status.
    """
    users: Iterable[int] = () if process.stopping else hub.connected()
    with connection.cursor() as cursor:
        cursor.execute(
            _REPORT,
            {
                "id": process.id,
                "kind": process.kind,
                "host": process.host[:255],
                "pid": process.pid,
                "version": settings.APPLICATION_VERSION[:100],
                "settings_version": site_settings.version(),
                "age": age,
                "stopping": process.stopping,
                "sockets": 0 if process.stopping else hub.sockets.used,
                "memory": memory(),
                "users": sorted(users),
                "dropped": dropped,
                "totals": json.dumps(totals),
            },
        )
        (now,) = cursor.fetchone()
    return float(now)


def forget_gone() -> int:
    """Delete the processes that were gone before any minute that is kept; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM operations_instance WHERE seen_at < now() - make_interval(days => %s)",
            [OPERATIONS_KEEP_DAYS.value],
        )
        return int(cursor.rowcount)


def instances() -> list[Seen]:
    """Return the instances of the last day, those that live first."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST)
        return [Seen(*row) for row in cursor.fetchall()]


def counts() -> dict[str, int]:
    """Return the number of living instances of each kind."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        return dict(cursor.fetchall())


def connected() -> tuple[int, int]:
    """Return how many users are connected, each counted once, and by how many sockets."""
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTED)
        users, sockets = cursor.fetchone()
    return int(users), int(sockets)


def totals() -> list[tuple[str, str, str, str, int, int, Totals]]:
    """Return id, kind, host, version, sockets, memory and totals of the living instances."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS)
        return [(*rest, json.loads(counted)) for *rest, counted in cursor.fetchall()]


def memory() -> int:
    """Return the memory of this process in bytes: what it has now, or has had at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
