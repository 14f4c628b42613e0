"""Whether entries are sealed in time."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import GaugeMetricFamily

from audit.sealing import chain_reached
from shop.core.health import Unhealthy

LAG_SECONDS = 60

_WAITING = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)
FROM (SELECT at FROM audit_waiting ORDER BY id LIMIT 10000) AS waiting
"""


def waiting() -> tuple[int, float]:
    """Return how many entries wait, 10 000 at most, and the age of the first in seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        count, age = cursor.fetchone() or (0, 0)
    return count, max(0.0, float(age))


def check_sealing() -> None:
    """Raise ``Unhealthy`` where entries wait too long for their place in the chain."""
    count, age = waiting()
    if age > LAG_SECONDS:
        raise Unhealthy(f"{count} entries wait to be sealed for {age:.0f} s")


def collect_chain() -> Iterator[GaugeMetricFamily]:
    """Yield the length of the chain, and how many entries wait, and since when."""
    reached = chain_reached()
    count, age = waiting()
    yield GaugeMetricFamily(
        "shop_audit_entries", "Entries of the audit's chain.", value=reached.seq if reached else 0
    )
    yield GaugeMetricFamily("shop_audit_waiting", "Entries that are not sealed yet.", value=count)
    yield GaugeMetricFamily(
        "shop_audit_lag_seconds", "Age of the oldest entry that is not sealed.", value=age
    )
