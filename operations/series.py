"""The operating figures as series over time, of all instances together.

A step in which nothing was observed has no value, because nobody knows what happened then. A step
with whole hours is read from the hours, as far as these are summed up.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext_noop

from operations.histograms import percentile
from shop.core.errors import ApplicationError
from shop.core.metrics import REFUSED_BEFORE

MINUTE: Final = 60
HOUR: Final = 3600
POINTS_MAX: Final = 1500
HOURS_KEEP_DAYS: Final = 730

ANSWERING = "('web', 'live')"
# The hours first, then the minutes that are not summed up yet.
_REQUESTS = """
WITH summed AS (SELECT coalesce(max(hour) + interval '1 hour', '-infinity') AS until
    FROM operations_observedhour WHERE %(hourly)s),
counted AS (
    SELECT hour AS at, route, status_class, requests, numbers, counts
    FROM operations_hour
    WHERE %(hourly)s AND hour >= %(since)s AND hour < %(until)s
    UNION ALL
    SELECT minute, route, status_class, requests, numbers, counts
    FROM operations_minute
    WHERE minute >= greatest(%(since)s, (SELECT until FROM summed)) AND minute < %(until)s
),
placed AS (
    SELECT floor(extract(epoch FROM at - %(since)s) / %(step)s)::int AS place, route,
        status_class, requests, numbers, counts
    FROM counted WHERE %(route)s::text IS NULL OR route = %(route)s
)
"""
_COUNTS = f"""{_REQUESTS}
SELECT place, sum(requests) FILTER (WHERE status_class = ANY(%(classes)s))::bigint
FROM placed GROUP BY place
"""  # noqa: S608
# What was refused before anybody looked where it leads has no response time.
_TIMES = f"""{_REQUESTS}
SELECT place, number, sum(count)::bigint
FROM placed, unnest(numbers, counts) AS bucket (number, count)
WHERE placed.route <> '{REFUSED_BEFORE}' GROUP BY place, number
"""  # noqa: S608
_OBSERVED = f"""
WITH summed AS (SELECT coalesce(max(hour) + interval '1 hour', '-infinity') AS until
    FROM operations_observedhour WHERE %(hourly)s),
lived AS (
    SELECT hour AS at, minutes::bigint, users::bigint, instances::bigint
    FROM operations_observedhour
    WHERE %(hourly)s AND hour >= %(since)s AND hour < %(until)s
    UNION ALL
    SELECT minute, least(1, count(*) FILTER (WHERE kind IN {ANSWERING})),
        (SELECT count(DISTINCT account) FROM operations_presence AS each, unnest(users) AS account
         WHERE each.minute = presence.minute),
        count(*)
    FROM operations_presence AS presence
    WHERE minute >= greatest(%(since)s, (SELECT until FROM summed)) AND minute < %(until)s
    GROUP BY minute
)
SELECT floor(extract(epoch FROM at - %(since)s) / %(step)s)::int AS place, sum(minutes)::bigint,
    max(users), max(instances)
FROM lived GROUP BY place
"""  # noqa: S608
_SESSIONS = """
SELECT floor(extract(epoch FROM at - %(since)s) / %(step)s)::int AS place, count(*)
FROM operations_sessionevent
WHERE kind = %(kind)s AND at >= %(since)s AND at < %(until)s GROUP BY place
"""
_NOW = "SELECT clock_timestamp()"


class TooManyPoints(ApplicationError):
    """The series would have too many points."""

    code = "too_many_points"
    detail = gettext_noop("That are too many points. Ask for a shorter time or a longer step.")


@dataclass(frozen=True, slots=True)
class Query:
    """Which figures: from ``since``, before ``until``, each over ``step`` seconds."""

    since: datetime
    until: datetime
    step: int = MINUTE
    route: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        # Hours are summed up in UTC, so only steps that begin with one are read from them.
        whole = self.step % HOUR == 0 and self.since.timestamp() % HOUR == 0
        return {
            "since": self.since,
            "until": self.until,
            "step": self.step,
            "route": self.route,
            "hourly": whole,
            "classes": [1, 2, 3, 4, 5],
        }


@dataclass(slots=True)
class Point:
    """A figure of one step; ``None`` where nothing was observed. ``more`` belongs to it."""

    at: datetime
    value: float | None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a step: its observed minutes, and the most users and instances of one."""

    minutes: int
    users: int
    instances: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that can be asked for; ``read`` returns value and more of each observed place."""

    unit: str
    read: Callable[[dict[str, Any], Mapping[int, Observed]], dict[int, tuple[Any, dict[str, Any]]]]
    of_requests: bool = False


def series(metric: str, query: Query) -> list[Point]:
    """Return the points of a metric in ``METRICS``, oldest first.

    The step that goes on is ``partial``. Raise ``TooManyPoints``.
    """
    number = -(-int((query.until - query.since).total_seconds()) // query.step)
    if number > POINTS_MAX:
        raise TooManyPoints()
    parameters = query.parameters()
    observed = _observed(parameters)
    values = METRICS[metric].read(parameters, observed)
    now = database_now()
    points = []
    for place in range(number):
        at = query.since + timedelta(seconds=place * query.step)
        value, more = values.get(place, (None, {}))
        ends = at + timedelta(seconds=query.step)
        if at <= now < ends:
            more = {**more, "partial": True}
        points.append(Point(at, value, more))
    return points


def database_now() -> datetime:
    """Return the time by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        (now,) = cursor.fetchone()
    return now.astimezone(UTC) if isinstance(now, datetime) else now


def buckets(query: Query) -> dict[int, int]:
    """Return the requests of the whole time by the bucket of their response time."""
    merged: dict[int, int] = defaultdict(int)
    for _, number, count in _rows(_TIMES, query.parameters()):
        merged[number] += count
    return dict(merged)


def requests(query: Query, classes: tuple[int, ...] = (1, 2, 3, 4, 5)) -> int:
    """Return the number of requests of the whole time that were answered by these classes."""
    rows = _rows(_COUNTS, query.parameters() | {"classes": list(classes)})
    return sum(count or 0 for _, count in rows)


def observed_minutes(query: Query) -> int:
    """Return in how many minutes a process was there that answers requests."""
    return sum(each.minutes for each in _observed(query.parameters()).values())


def _observed(parameters: dict[str, Any]) -> dict[int, Observed]:
    return {place: Observed(*rest) for place, *rest in _rows(_OBSERVED, parameters)}


def _read_rate(
    parameters: dict[str, Any], observed: Mapping[int, Observed]
) -> dict[int, tuple[Any, dict[str, Any]]]:
    counts = dict(_rows(_COUNTS, parameters))
    return {
        place: (
            round((counts.get(place) or 0) / (each.minutes * MINUTE), 6),
            {"requests": counts.get(place) or 0},
        )
        for place, each in observed.items()
        if each.minutes
    }


def _read_errors(
    parameters: dict[str, Any], observed: Mapping[int, Observed]
) -> dict[int, tuple[Any, dict[str, Any]]]:
    counts = dict(_rows(_COUNTS, parameters | {"classes": [5]}))
    return {place: (counts.get(place) or 0, {}) for place, each in observed.items() if each.minutes}


def _read_times(
    parameters: dict[str, Any], observed: Mapping[int, Observed]
) -> dict[int, tuple[Any, dict[str, Any]]]:
    merged: dict[int, dict[int, int]] = defaultdict(dict)
    for place, number, count in _rows(_TIMES, parameters):
        merged[place][number] = count
    return {
        place: (percentile(each, 0.95), percentiles(each) | {"requests": sum(each.values())})
        for place, each in merged.items()
    }


def percentiles(merged: Mapping[int, int]) -> dict[str, float | None]:
    """Return the usual percentiles, in seconds."""
    return {f"p{part}": percentile(merged, part / 100) for part in (50, 95, 99)}


def _read_users(
    parameters: dict[str, Any], observed: Mapping[int, Observed]
) -> dict[int, tuple[Any, dict[str, Any]]]:
    return {place: (each.users, {}) for place, each in observed.items() if each.minutes}


def _read_instances(
    parameters: dict[str, Any], observed: Mapping[int, Observed]
) -> dict[int, tuple[Any, dict[str, Any]]]:
    return {place: (each.instances, {}) for place, each in observed.items()}


def _read_sessions(kind: str) -> Any:
    def read(
        parameters: dict[str, Any], observed: Mapping[int, Observed]
    ) -> dict[int, tuple[Any, dict[str, Any]]]:
        counts = dict(_rows(_SESSIONS, parameters | {"kind": kind}))
        return {
            place: (counts.get(place, 0), {})
            for place in counts.keys() | {at for at, each in observed.items() if each.minutes}
        }

    return read


METRICS: Final = {
    "requests_per_second": Metric("requests/s", _read_rate, of_requests=True),
    "response_time": Metric("s", _read_times, of_requests=True),
    "errors": Metric("requests", _read_errors, of_requests=True),
    "users_connected": Metric("users", _read_users),
    "sign_ins": Metric("sign-ins", _read_sessions("signed_in")),
    "sign_outs": Metric("sign-outs", _read_sessions("signed_out")),
    "instances": Metric("instances", _read_instances),
}


def _rows(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
