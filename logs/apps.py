"""The declarations of the log lines."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class LogsConfig(ShopAppConfig):
    """The log of every process, searchable: its lines, copied by a bounded shipper."""

    name = "logs"
    api_urls = "logs.urls"
    page_urls = "logs.page_urls"
    request_page = "logs.pages.lines_of_request"
    navigation = (
        NavigationEntry(
            _("Log"),
            "log",
            place=20,
            shown_to=allowed(Permission.LOGS_READ_ALL),
            group="run",
            icon="terminal",
        ),
    )
    audit_actions = ("logs.audit.ACTIONS",)
    site_settings = ("logs.site_settings.SETTINGS",)
    # A relay adds its lines like every process.
    relay_rights = {"logs_entry": "INSERT"}
    personal_data = "logs.columns.TABLES"
    process_loops = ("logs.shipper.ship",)
    partitions = ("logs.levels.RETENTIONS",)
    beat = {
        "keep-partitions": {
            "task": "logs.keep_partitions",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }

    def ready(self) -> None:
        from logs.shipper import shipper
        from shop.core.logs import copies

        copies.append(shipper.put)
