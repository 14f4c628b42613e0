"""What statements add to the whole."""

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class ReportsConfig(ShopAppConfig):
    """Statements: requested, rendered, mailed."""

    name = "reports"
    api_urls = "reports.urls"
    page_urls = "reports.page_urls"
    metrics = ("reports.metrics.collect_reports",)
    ledger_checks = ("reports.ledger_checks.CHECKS",)
    navigation = (
        NavigationEntry(
            "Reports", "report_list", place=30, shown_to=allowed(Permission.REPORTS_READ)
        ),
    )
    beat = {
        "sweep-reports": {"task": "reports.sweep", "schedule": 15.0, "options": {"expires": 15}},
        "purge-reports": {"task": "reports.purge", "schedule": 3600.0, "options": {"expires": 600}},
    }
