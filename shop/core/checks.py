"""Rules of configuration, as system checks with ids."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

POSTGRESQL_MINIMUM = 180000


@register(Tags.database)
def postgresql_version(
    app_configs: Any, databases: Any = None, **kwargs: Any
) -> list[CheckMessage]:
    """shop.E001: the server is PostgreSQL 18, because it makes the ledger's ids by ``uuidv7()``."""
    messages: list[CheckMessage] = []
    for alias in databases or []:
        connection: Any = connections[alias]
        connection.ensure_connection()
        version = connection.pg_version
        if version < POSTGRESQL_MINIMUM:
            messages.append(
                Error(f"PostgreSQL 18 or later is needed, not {version // 10000}.", id="shop.E001")
            )
    return messages


@register(Tags.security, deploy=True)
def public_address(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """shop.E002: production must not accept every host."""
    if not settings.DEVELOPMENT and "*" in settings.ALLOWED_HOSTS:
        return [Error("ALLOWED_HOSTS must name the site's hosts, not *.", id="shop.E002")]
    return []
