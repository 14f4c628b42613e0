"""Figures of documents for Prometheus, read at each scrape."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

_UNFINISHED = """
SELECT status, count(*) FROM reports_report WHERE status NOT IN ('sent', 'failed') GROUP BY status
"""


def collect_documents() -> Iterator[GaugeMetricFamily]:
    """Yield the number of unfinished documents by status."""
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED)
        rows = cursor.fetchall()
    unfinished = GaugeMetricFamily(
        "shop_reports_unfinished", "Reports by status.", labels=["status"]
    )
    for status, count in rows:
        unfinished.add_metric([status], count)
    yield unfinished
