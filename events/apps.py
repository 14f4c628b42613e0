"""What the event log adds to the whole."""

from shop.core.apps import ShopAppConfig


class EventsConfig(ShopAppConfig):
    """The event log, and how it is followed: the relay, the hub, the feed and the long poll."""

    name = "events"
    api_urls = "events.urls"
    health_checks = {"relay": "events.health.check_relay"}
    metrics = ("events.metrics.collect_log",)
