"""How far the followers lag behind the log."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

from events.followers import declared_followers
from events.selectors import latest_position
from shop.core.health import Unhealthy

STUCK_SECONDS = 60

# The log has no gaps, so the primary key finds the first event that is not applied.
_LAGS = """
SELECT declared.name, coalesce(cursor.position, 0), coalesce(cursor.failures, 0),
       coalesce(extract(epoch FROM now() - cursor.failing_since), 0),
       coalesce(extract(epoch FROM now() - cursor.moved_at), 'infinity'::float),
       coalesce((SELECT extract(epoch FROM now() - event.at) FROM events_event AS event
                 WHERE event.position > coalesce(cursor.position, 0)
                 ORDER BY event.position LIMIT 1), 0)
FROM unnest(%s::text[]) AS declared (name)
LEFT JOIN events_followercursor AS cursor ON cursor.name = declared.name
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """A follower's position, its lag in events and seconds, and its failures."""

    name: str
    position: int
    events: int
    failures: int
    failing_seconds: float
    still_seconds: float
    seconds: float

    @property
    def is_stuck(self) -> bool:
        """Return whether it has made no progress for a while, though events wait."""
        still = self.seconds > STUCK_SECONDS and self.still_seconds > STUCK_SECONDS
        return still or self.failing_seconds > STUCK_SECONDS


def lags() -> list[Lag]:
    """Return the lag of each declared follower; one that never ran is at position 0."""
    names = list(declared_followers())
    if not names:
        return []
    latest = latest_position()
    with connection.cursor() as cursor:
        cursor.execute(_LAGS, [names])
        rows = cursor.fetchall()
    return [
        Lag(name, position, max(0, latest - position), failures, *map(float, ages))
        for name, position, failures, *ages in rows
    ]


def check_followers() -> None:
    """Raise ``Unhealthy`` where a follower makes no progress."""
    stuck = [f"{lag.name} lags by {lag.events} events" for lag in lags() if lag.is_stuck]
    if stuck:
        raise Unhealthy(", ".join(stuck))


def collect_followers() -> Iterator[GaugeMetricFamily]:
    """Yield the followers' lag, and how often the next batch has failed."""
    position = GaugeMetricFamily(
        "shop_follower_position", "How far a follower has come.", labels=["follower"]
    )
    events = GaugeMetricFamily(
        "shop_follower_lag_events", "Events that a follower has not passed.", labels=["follower"]
    )
    seconds = GaugeMetricFamily(
        "shop_follower_lag_seconds",
        "Age of the first event that a follower has not passed.",
        labels=["follower"],
    )
    failures = GaugeMetricFamily(
        "shop_follower_failures", "How often its next batch has failed.", labels=["follower"]
    )
    for lag in lags():
        position.add_metric([lag.name], lag.position)
        events.add_metric([lag.name], lag.events)
        seconds.add_metric([lag.name], lag.seconds)
        failures.add_metric([lag.name], lag.failures)
    yield from (position, events, seconds, failures)
