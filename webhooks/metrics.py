"""Metrics of webhooks, read from the database."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

from events.selectors import latest_position

_STATES = """
SELECT CASE WHEN state = 'active' AND failing_since IS NOT NULL THEN 'failing' ELSE state END,
       count(*), coalesce(max(%s - position), 0)
FROM webhooks_endpoint GROUP BY 1
"""
STATES = ("active", "failing", "disabled")


def collect_webhooks() -> Iterator[GaugeMetricFamily]:
    """Yield how many endpoints are in each state, and how far the last of each is behind."""
    end = latest_position()
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [end])
        found = {state: (count, behind) for state, count, behind in cursor.fetchall()}
    counts = GaugeMetricFamily("shop_webhooks", "Webhooks, by their state.", labels=["state"])
    lags = GaugeMetricFamily(
        "shop_webhooks_lag_events",
        "Positions between the end of the log and the last webhook of a state.",
        labels=["state"],
    )
    for state in STATES:
        count, behind = found.get(state, (0, 0))
        counts.add_metric([state], count)
        lags.add_metric([state], max(0, behind))
    yield counts
    yield lags
