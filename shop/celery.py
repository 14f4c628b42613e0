"""The Celery application; `celery -A shop` finds it through `shop/__init__.py`."""

import os
from typing import Any

from celery import Celery, Task, signals
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Stop Celery from replacing the logging that the settings have configured."""


@signals.worker_process_init.connect
def _close_inherited_connections(**kwargs: Any) -> None:
    """Give a forked worker a connection pool of its own.

    A pool that was opened before the fork shares its sockets with the parent, and its
    maintenance threads do not exist in the child.
    """
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.connection = None
        pools = getattr(type(connection), "_connection_pools", {})
        pools.pop(connection.alias, None)


__all__ = ["Task", "app"]
