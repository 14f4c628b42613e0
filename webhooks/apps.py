"""The declarations of webhooks."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class WebhooksConfig(ShopAppConfig):
    """Events that leave the house: each endpoint has a cursor into the log."""

    name = "webhooks"
    site_settings = ("webhooks.site_settings.SETTINGS",)
    personal_data = "webhooks.columns.TABLES"
    api_urls = "webhooks.urls"
    page_urls = "webhooks.page_urls"
    sealed = ("webhooks.signing.SEALED",)
    audit_actions = ("webhooks.actions.ACTIONS",)
    following = {"webhooks": "webhooks.deliverer.deliver"}
    health_checks = {"webhooks": "webhooks.health.check_webhooks"}
    metrics = ("webhooks.metrics.collect_webhooks",)
    attention = ("webhooks.attention.find_attention",)
    navigation = (
        NavigationEntry(
            _("Webhooks"),
            "webhook_list",
            place=20,
            shown_to=allowed(Permission.WEBHOOKS_READ),
            group="build",
            icon="webhook",
        ),
    )
    beat = {
        "purge-webhooks": {
            "task": "webhooks.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }
