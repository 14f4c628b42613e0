"""The declarations of how the site runs."""

from shop.core.apps import ShopAppConfig


class OperationsConfig(ShopAppConfig):
    """How the site runs: instances, requests, users connected, deploys, forecasts."""

    name = "operations"
