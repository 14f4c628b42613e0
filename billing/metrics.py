"""Metrics of billing, read from the database: what waits, and for how long."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

COUNTED = 1000
"""How many of each are counted at most."""
# Each has a partial index, so the rows that do not wait cost nothing.
_WAITING = {
    "runs": ("billing_run", "created_at", "status <> 'done'"),
    "refunds_requested": ("billing_refund", "created_at", "status = 'requested'"),
    "refunds_submitted": ("billing_refund", "created_at", "status = 'submitted'"),
    "refunds_unknown": ("billing_refund", "created_at", "status = 'unknown'"),
    "provider_messages": ("billing_providerevent", "received_at", "waits_for <> ''"),
    "bank_credits": ("billing_bankcredit", "created_at", "status = 'waiting'"),
}
_SQL = " UNION ALL ".join(
    f"""SELECT '{what}', count(*), coalesce(extract(epoch FROM now() - min(at)), 0)::float
          FROM (SELECT {column} AS at FROM {table} WHERE {condition} LIMIT {COUNTED}) AS {what}"""  # noqa: S608
    for what, (table, column, condition) in _WAITING.items()
)


def collect_billing() -> Iterator[GaugeMetricFamily]:
    """Yield how many runs, refunds, messages and credits wait, and since when the oldest does."""
    counts = GaugeMetricFamily("shop_billing_waiting", "What waits in billing.", labels=["what"])
    ages = GaugeMetricFamily(
        "shop_billing_waiting_seconds", "How long the oldest of it has waited.", labels=["what"]
    )
    with connection.cursor() as cursor:
        cursor.execute(_SQL)
        for what, count, seconds in cursor.fetchall():
            counts.add_metric([what], count)
            ages.add_metric([what], seconds)
    yield counts
    yield ages
