"""Metrics for Prometheus: requests of this process, and the state of the whole system."""

import time
from collections import deque
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily

from shop.core.apps import declared, metric_collectors

logger = structlog.get_logger(__name__)

registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)

REQUESTS = Counter(
    "shop_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
)
SECONDS = Histogram(
    "shop_http_request_seconds",
    "Time until the answer began.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=registry,
)
SOCKETS = Gauge("shop_open_sockets", "Live sockets open in this process.", registry=registry)
BACKGROUND = Gauge(
    "shop_background_tasks",
    "Tasks at work for the whole process: writers of purchases, parts of the hub.",
    ["task"],
    registry=registry,
)
ADMITTED = Gauge(
    "shop_admission_used", "Places or bytes of a room in use.", ["room"], registry=registry
)
REFUSED = Counter(
    "shop_admission_refused",
    "Requests refused because a share, a room or a waiting time was used up.",
    ["room", "reason"],
    registry=registry,
)
NOT_KEPT = Counter(
    "shop_requests_not_kept",
    "Requests that the operating figures miss, because nobody took them for long.",
    registry=registry,
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


UNROUTED = "none"
"""The route of a request for which there is none."""
REFUSED_BEFORE = "refused"
"""The route of a request that was refused before anybody looked where it leads."""
ANSWERED_MAX = 100_000
# Appending is atomic and takes some 50 ns. The operating figures take requests from the left.
answered: deque[tuple[str, int, float]] = deque()
"""The requests that were answered lately: route, status and seconds."""


@cache
def connect_valkey() -> redis.Redis:
    """Return this process's client of Valkey; it waits a second at most."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=None
    )


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. ``route`` is a pattern of the URL configuration, never a path."""
    counter, histogram = _series(method if method in METHODS else "other", route, status)
    counter.inc()
    histogram.observe(seconds)
    if len(answered) < ANSWERED_MAX:
        answered.append((route, status, seconds))
    else:
        NOT_KEPT.inc()


@lru_cache(maxsize=2000)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    # Finding a series by its labels costs more than counting, so keep it.
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)


def task_queue_length() -> int:
    """Return how many tasks wait for a worker. Raise Valkey's errors."""
    return int(connect_valkey().llen("celery"))


class StateCollector:
    """Figures of the whole system, read at each scrape: those of Valkey and of the apps."""

    def collect(self) -> Iterator[Any]:
        """Yield the figures, without those that cannot be read."""
        up = GaugeMetricFamily("shop_up", "Whether a dependency answers.", labels=["dependency"])
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Exception:
            up.add_metric(["postgresql"], 0)
        else:
            up.add_metric(["postgresql"], 1)
            for name, collect in metric_collectors().items():
                try:
                    families = list(collect())
                except Exception as error:
                    logger.warning("metrics.left_out", collector=name, reason=type(error).__name__)
                else:
                    yield from families
        try:
            length = task_queue_length()
        except Exception:
            up.add_metric(["valkey"], 0)
        else:
            up.add_metric(["valkey"], 1)
            yield GaugeMetricFamily(
                "shop_task_queue_length", "Tasks waiting for a worker.", value=length
            )
        yield up


class SiteCollector:
    """Figures of every process, as it has reported them."""

    def collect(self) -> Iterator[Any]:
        """Yield the figures, without those that cannot be read."""
        for collect in declared("site_metrics"):
            try:
                families = list(collect())
            except Exception as error:
                logger.warning(
                    "metrics.left_out", collector=collect.__name__, reason=type(error).__name__
                )
            else:
                yield from families


registry.register(StateCollector())
site_registry = CollectorRegistry()
site_registry.register(StateCollector())
site_registry.register(SiteCollector())


class Metrics:
    """Middleware that counts every request that Django answers."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response: HttpResponse = self.get_response(request)
        match = request.resolver_match
        observe_request(
            request.method or "",
            match.route if match else UNROUTED,
            response.status_code,
            time.perf_counter() - started,
        )
        return response


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer ``/metrics``, which nginx hides from the outside.

    It has the figures of this process, or with ``scope=site`` those of all of them.
    """
    chosen = site_registry if request.GET.get("scope") == "site" else registry
    return HttpResponse(generate_latest(chosen), content_type=CONTENT_TYPE_LATEST)
