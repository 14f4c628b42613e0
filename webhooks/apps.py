"""The declarations of webhooks."""

from shop.core.apps import ShopAppConfig


class WebhooksConfig(ShopAppConfig):
    """Events that leave the house: each endpoint has a cursor into the log."""

    name = "webhooks"
