"""The declarations of webhooks."""

from shop.core.apps import ShopAppConfig


class WebhooksConfig(ShopAppConfig):
    """Events that leave the house: each endpoint has a cursor into the log."""

    name = "webhooks"
    personal_data = "webhooks.columns.TABLES"
    api_urls = "webhooks.urls"
    sealed = ("webhooks.signing.SEALED",)
    audit_actions = ("webhooks.actions.ACTIONS",)
    following = {"webhooks": "webhooks.deliverer.deliver"}
    beat = {
        "purge-webhooks": {
            "task": "webhooks.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }
