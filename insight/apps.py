"""The declarations of what people know about the shop."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class InsightConfig(ShopAppConfig):
    """The dashboard: how the day goes, and what needs attention."""

    name = "insight"
    api_urls = "insight.statistics.urls"
    page_urls = "insight.page_urls"
    followers = ("insight.statistics.follower.Statistics",)
    ledger_checks = ("insight.ledger_checks.CHECKS",)
    personal_data = "insight.columns.TABLES"
    navigation = (
        NavigationEntry(
            _("Dashboard"),
            "dashboard",
            place=10,
            shown_to=allowed(Permission.INSIGHT_READ_ALL, Permission.PURCHASES_READ_ALL),
            group="know",
            icon="layout-dashboard",
            count="insight.attention.count_for",
            lands=True,
        ),
        NavigationEntry(
            _("Statistics"),
            "statistics",
            place=20,
            shown_to=allowed(Permission.INSIGHT_READ),
            group="know",
            icon="chart-column",
        ),
    )
