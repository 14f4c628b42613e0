"""Figures about the lines: how many there were when, and how the shipping goes."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from logs.levels import LEVELS, level_name
from logs.search import Search
from logs.shipper import shipper
from shop.core.errors import FieldError, ValidationFailed

BUCKETS_MAX = 2_000
HISTOGRAM_SECONDS = 1.5
SPAN = timedelta(hours=6)
DROPPED_SINCE = timedelta(hours=24)
STEPS = (60, 300, 900, 3600, 6 * 3600, 24 * 3600)

_COUNT = """
SELECT date_bin(make_interval(secs => %s), at, 'epoch'::timestamptz), level, count(*)
FROM logs_entry WHERE {conditions} GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The lines of a step of time by level; ``None`` where there was no time to count them."""

    at: datetime
    counts: dict[str, int] | None

    @property
    def total(self) -> int:
        """Return how many lines there were."""
        return sum((self.counts or {}).values())


def step_for(search: Search, buckets: int = 120) -> int:
    """Return the smallest usual step, in seconds, of which the search has so many at most."""
    seconds = (search.until - search.since).total_seconds()
    return next((step for step in STEPS if seconds / step <= buckets), STEPS[-1])


def histogram(search: Search, step: int) -> list[Bucket]:
    """Return the lines in each step, the oldest first; steps begin at multiples of ``step``.

    Raise ``ValidationFailed`` for too many steps.
    """
    first = _floor(search.since, step)
    count = int((search.until - first).total_seconds() // step) + 1
    if count > BUCKETS_MAX:
        detail = _("These are more than {} steps.").format(BUCKETS_MAX)
        raise ValidationFailed([FieldError("too_many_periods", detail, "step")])
    found: dict[datetime, dict[str, int]] = {}
    counted = search.until + timedelta(microseconds=1)
    began = time.monotonic()
    with connection.cursor() as cursor:
        while counted > search.since and time.monotonic() - began < HISTOGRAM_SECONDS:
            low = max(search.since, _floor(counted - SPAN, step))
            conditions = " AND ".join(["at >= %s", "at < %s", *search.conditions])
            cursor.execute(
                _COUNT.format(conditions=conditions), [step, low, counted, *search.values]
            )
            for at, level, lines in cursor.fetchall():
                counts = found.setdefault(at, {})
                name = level_name(level)
                counts[name] = counts.get(name, 0) + lines
            counted = low
    starts = (first + timedelta(seconds=step * number) for number in range(count))
    empty = dict.fromkeys(LEVELS, 0)
    return [
        Bucket(at, empty | found.get(at, {}) if max(at, search.since) >= counted else None)
        for at in starts
    ]


def _floor(moment: datetime, step: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // step * step, UTC)


def status() -> dict[str, Any]:
    """Return how many lines wait here, were dropped, how old the oldest is, and their bytes.

    ``dropped`` are those that all processes have told of in the last 24 hours, and this one's.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum((fields ->> 'lines')::bigint), 0) FROM logs_entry"
            " WHERE at > %s AND event = 'logs.dropped' AND kept = 'warning'"
            " AND words @@ '''logs'' & ''dropped'''::tsquery",
            [datetime.now(UTC) - DROPPED_SINCE],
        )
        (dropped,) = cursor.fetchone()
        cursor.execute("SELECT min(at) FROM logs_entry")
        (oldest,) = cursor.fetchone()
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)"
            " FROM pg_partition_tree('logs_entry') WHERE isleaf"
        )
        (size,) = cursor.fetchone()
    return {
        "queued": shipper.queued,
        "dropped": int(dropped) + shipper.unsaid,
        "oldest": oldest,
        "bytes": int(size),
    }
