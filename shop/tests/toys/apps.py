"""What toys add to the site."""

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class ToysConfig(ShopAppConfig):
    """Toys, which analysts may see."""

    name = "toys"
    api_urls = "toys.urls"
    websocket_urls = "toys.routing"
    page_urls = "toys.page_urls"
    event_types = "toys.events"
    followers = ("toys.followers.ToyFollower",)
    append_only = ("Toy",)
    health_checks = {"toybox": "toys.health.check_toybox"}
    metrics = ("toys.metrics.collect_toys",)
    ledger_checks = ("toys.ledger_checks.CHECKS",)
    navigation = (
        NavigationEntry(
            "Toys", "toy_list", place=50, shown_to=allowed(Permission.INSIGHT_READ_ALL)
        ),
    )
    beat = {"wind-toys": {"task": "toys.wind", "schedule": 60.0}}
