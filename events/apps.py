"""The declarations of the event log."""

from shop.core.apps import ShopAppConfig


class EventsConfig(ShopAppConfig):
    """The event log and its readers: the relay, the hub, the feed and the long poll."""

    name = "events"
    site_settings = ("events.site_settings.SETTINGS",)
    site_setting_rules = ("events.site_settings.RULES",)
    personal_data = "events.columns.TABLES"
    api_urls = "events.urls"
    websocket_urls = "events.routing"
    append_only = ("Event",)
    maintained = ("Outbox",)
    relay_rights = {"events_outbox": "SELECT, DELETE, MAINTAIN", "events_event": "SELECT, INSERT"}
    health_checks = {
        "relay": "events.health.check_relay",
        "followers": "events.lag.check_followers",
    }
    metrics = ("events.metrics.collect_log", "events.lag.collect_followers")
    attention = ("events.attention.find_attention",)
    ledger_checks = ("events.ledger_checks.CHECKS",)

    def ready(self) -> None:
        from events import checks  # noqa: F401
