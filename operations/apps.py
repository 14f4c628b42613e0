"""The declarations of how the site runs."""

from shop.core.apps import ShopAppConfig


class OperationsConfig(ShopAppConfig):
    """How the site runs: instances, requests, users connected, deploys, forecasts."""

    name = "operations"
    api_urls = "operations.urls"
    personal_data = "operations.columns.TABLES"
    relay_rights = {"operations_instance": "SELECT, INSERT, UPDATE"}
    process_loops = ("operations.beats.report",)
