"""Figures of the event log for Prometheus, read at each scrape."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

_LOG = """
SELECT
  (SELECT coalesce(max(position), 0) FROM purchases_event),
  (SELECT count(*) FROM (
     SELECT 1 FROM purchases_event WHERE position IS NULL LIMIT 10000) AS waiting),
  (SELECT extract(epoch FROM now() - purchase.received_at) FROM purchases_event AS event
     JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
     WHERE event.position IS NULL ORDER BY event.purchase_id LIMIT 1)
"""


def collect_log() -> Iterator[GaugeMetricFamily]:
    """Yield how far the log is numbered, and what is left to number."""
    with connection.cursor() as cursor:
        cursor.execute(_LOG)
        position, waiting, age = cursor.fetchone() or (0, 0, 0)
    yield GaugeMetricFamily(
        "shop_event_position", "Highest position of the event log.", value=position
    )
    yield GaugeMetricFamily(
        "shop_events_unnumbered", "Events the relay has yet to number.", value=waiting
    )
    yield GaugeMetricFamily(
        "shop_event_lag_seconds",
        "Age of the oldest event without a position.",
        value=max(0.0, float(age or 0)),
    )
