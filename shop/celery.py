"""The Celery application, which ``celery -A shop`` finds by this module's name."""

import os
from typing import Any

import structlog
from celery import Celery, Task, signals
from django_structlog.celery.steps import DjangoStructLogInitStep

from shop.core import process
from shop.core.apps import beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

logger = structlog.get_logger(__name__)

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@app.on_after_finalize.connect
def _keep_to_the_schedule(sender: Celery, **kwargs: Any) -> None:
    """Read what the apps declare. Django has been set up by then."""
    sender.conf.beat_schedule = beat_schedule()


@signals.setup_logging.connect
def _keep_our_logging(**kwargs: Any) -> None:
    """Stop Celery from replacing the logging that the settings have configured."""


@signals.worker_process_init.connect
def _close_inherited_connections(**kwargs: Any) -> None:
    """Give a forked worker a connection pool of its own.

    A pool from before the fork shares its sockets with the parent, and its maintenance threads do
    not exist in the child.
    """
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.connection = None
        pools = getattr(type(connection), "_connection_pools", {})
        pools.pop(connection.alias, None)


@signals.worker_process_init.connect
def _start_task_process(**kwargs: Any) -> None:
    process.start("task")


@signals.worker_ready.connect
def _start_worker(**kwargs: Any) -> None:
    process.start("worker")


@signals.beat_init.connect
def _start_beat(**kwargs: Any) -> None:
    process.start("beat")


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def _stop_process(**kwargs: Any) -> None:
    process.stop()


def hint(task: str, *, expires: float | None = None, **arguments: str) -> bool:
    """Tell a worker that there are jobs for a task. Return whether the broker took the message.

    If the broker is away, a sweep finds the jobs later. A message that no worker takes for
    ``expires`` seconds is dropped.
    """
    try:
        app.send_task(task, kwargs=arguments, retry=False, expires=expires)
    except Exception as error:
        logger.warning("job.hint_lost", task=task, reason=type(error).__name__, **arguments)
        return False
    return True


__all__ = ["Task", "app", "hint"]
