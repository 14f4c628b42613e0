"""The declarations of the log lines."""

from shop.core.apps import ShopAppConfig


class LogsConfig(ShopAppConfig):
    """The log of every process, searchable: its lines, copied by a bounded shipper."""

    name = "logs"
