"""The present figures of the whole site."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from operations import instances, series
from operations.series import Query, percentiles
from operations.turnover import turnover

PURCHASES_MAX = 60_000

_PURCHASES = f"""
SELECT count(*) FROM (
    SELECT FROM purchases_purchase
    WHERE id >= (SELECT uuidv7(interval '-1 minute')) LIMIT {PURCHASES_MAX}
) AS recent
"""  # noqa: S608
# Until then every process has reported.
_REPORTED = f"""
SELECT coalesce(min(seen_at), clock_timestamp()) FROM operations_instance
WHERE kind IN {series.ANSWERING} AND seen_at > now() - interval '{instances.LATE_SECONDS} seconds'
    AND {instances.LIVING}
"""  # noqa: S608
_ACTIVE = f"""
SELECT count(DISTINCT user_id) FROM (
    SELECT user_id FROM knox_authtoken WHERE last_used_at > now() - make_interval(mins => %(mins)s)
    UNION ALL
    SELECT user_id FROM accounts_browsersession
    WHERE last_used_at > now() - make_interval(mins => %(mins)s)
    UNION ALL
    SELECT unnest(users) FROM operations_instance WHERE {instances.LIVING}
) AS used
"""  # noqa: S608
# Who was killed has not told of its last seconds. Only some kinds of processes answer requests.
_MISSING = f"""
SELECT id, kind, CASE WHEN dropped > 0 THEN 'dropped' ELSE state END, nullif(dropped, 0) FROM (
    SELECT id, kind, seen_at, dropped,
        CASE WHEN stopped_at IS NULL AND {instances.STATE} = 'gone' THEN 'killed'
             ELSE {instances.STATE} END AS state
    FROM operations_instance WHERE seen_at > now() - make_interval(mins => %(mins)s)
) AS lately
WHERE dropped > 0 OR state = 'late' OR state = 'killed' AND kind IN {series.ANSWERING}
ORDER BY seen_at DESC LIMIT 100
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The present figures. Those of requests are of this minute and the one before it."""

    at: datetime
    requests_per_second: float | None
    errors_per_second: float | None
    response_time: dict[str, float | None]
    purchases_per_second: float
    users: dict[str, int]
    instances: dict[str, int]
    turnover: dict[str, Any]
    missing: list[dict[str, Any]]


def now(minutes: int) -> Now:
    """Return the present figures, with the turnover of the last ``minutes``."""
    at = series.database_now()
    lately = Query(at.replace(second=0, microsecond=0) - timedelta(minutes=1), at)
    seconds = max(1.0, (_reported() - lately.since).total_seconds())
    observed = series.observed_minutes(lately) > 0
    users, sockets = instances.connected()
    return Now(
        at=at,
        requests_per_second=series.requests(lately) / seconds if observed else None,
        errors_per_second=series.requests(lately, (5,)) / seconds if observed else None,
        response_time=percentiles(series.buckets(lately)),
        purchases_per_second=_one(_PURCHASES) / 60,
        users={
            "connected": users,
            "sockets": sockets,
            "active": _one(_ACTIVE, {"mins": minutes}),
        },
        instances=instances.counts(),
        turnover=asdict(turnover(minutes)),
        missing=_missing(minutes),
    )


def _missing(minutes: int) -> list[dict[str, Any]]:
    """Return whose figures are incomplete: who is late, was killed, or has dropped requests."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, {"mins": minutes})
        names = ("instance", "kind", "reason", "requests")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _reported() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(_REPORTED)
        (moment,) = cursor.fetchone()
    reported: datetime = moment
    return reported


def _one(statement: str, parameters: dict[str, Any] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        (number,) = cursor.fetchone()
    return int(number)
