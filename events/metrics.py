"""Figures of the event log for Prometheus, read at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from events.health import waiting
from events.selectors import latest_position


def collect_log() -> Iterator[GaugeMetricFamily]:
    """Yield the last position, and how many events wait for one, and since when."""
    count, age = waiting()
    yield GaugeMetricFamily(
        "shop_event_position", "Highest position of the event log.", value=latest_position()
    )
    yield GaugeMetricFamily(
        "shop_events_unnumbered", "Events the relay has yet to number.", value=count
    )
    yield GaugeMetricFamily(
        "shop_event_lag_seconds", "Age of the oldest event without a position.", value=age
    )
