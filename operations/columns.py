"""What the tables of the operating figures hold."""

from shop.core.columns import nobody

TABLES = (
    nobody(
        "operations_instance",
        "id kind host pid version started_at seen_at stopped_at sockets memory dropped",
        hidden="settings_version users",
    ),
)
