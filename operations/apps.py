"""The declarations of how the site runs."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class OperationsConfig(ShopAppConfig):
    """How the site runs: instances, requests, users connected, deploys, forecasts."""

    name = "operations"
    site_settings = ("operations.site_settings.SETTINGS",)
    api_urls = "operations.urls"
    page_urls = "operations.page_urls"
    navigation = (
        NavigationEntry(
            _("Operations"),
            "operations",
            place=10,
            shown_to=allowed(Permission.INSIGHT_READ_ALL),
            group="run",
            icon="activity",
        ),
    )
    works_read_only = ("api_deploys",)
    personal_data = "operations.columns.TABLES"
    partitions = ("operations.retention.RETENTIONS",)
    # A relay reports that it lives like every process.
    relay_rights = {
        "operations_instance": "SELECT, INSERT, UPDATE",
        "operations_minute": "SELECT, INSERT, UPDATE",
        "operations_presence": "SELECT, INSERT, UPDATE",
    }
    audit_actions = ("operations.actions.ACTIONS",)
    site_metrics = ("operations.metrics.collect_instances",)
    process_loops = ("operations.beats.report", "operations.beats.report_settings")
    beat = {
        "sum-up-hours": {
            "task": "operations.sum_up",
            "schedule": 300.0,
            "options": {"expires": 240},
        },
        "forget-gone-instances": {
            "task": "operations.forget_gone",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
        "count-expired": {
            "task": "operations.add_expired",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
    }

    def ready(self) -> None:
        from operations import sessions  # noqa: F401
