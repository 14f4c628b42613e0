from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from .models import Toy


def collect_toys() -> Iterator[GaugeMetricFamily]:
    """Yield the number of toys."""
    yield GaugeMetricFamily("shop_toys", "Toys in the box.", value=Toy.objects.count())
