"""The figures of all living processes for Prometheus, each with the id of its instance."""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from operations import instances

_LABELS = ["instance", "kind"]


def collect_instances() -> Iterator[Metric]:
    """Yield requests, seconds, sockets and memory of each instance."""
    up = GaugeMetricFamily(
        "shop_instance_up", "A process that reports.", labels=[*_LABELS, "host", "version"]
    )
    sockets = GaugeMetricFamily("shop_open_sockets", "Live sockets open.", labels=_LABELS)
    memory = GaugeMetricFamily("shop_instance_memory_bytes", "Memory in use.", labels=_LABELS)
    requests = CounterMetricFamily(
        "shop_http_requests", "Requests answered.", labels=[*_LABELS, "route", "status"]
    )
    seconds = SummaryMetricFamily(
        "shop_http_request_seconds", "Time until the answer began.", labels=[*_LABELS, "route"]
    )
    for id, kind, host, version, open_sockets, used, totals in instances.totals():
        up.add_metric([id, kind, host, version], 1)
        sockets.add_metric([id, kind], open_sockets)
        memory.add_metric([id, kind], used)
        by_route: dict[str, tuple[int, float]] = {}
        for route, status_class, number, whole in totals:
            requests.add_metric([id, kind, route, f"{status_class}xx"], number)
            counted, taken = by_route.get(route, (0, 0.0))
            by_route[route] = counted + number, taken + whole
        for route, (counted, taken) in by_route.items():
            seconds.add_metric([id, kind, route], count_value=counted, sum_value=taken)
    yield from (up, sockets, memory, requests, seconds)
