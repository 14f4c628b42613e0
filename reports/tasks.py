"""What the workers do: thin tasks around :mod:`reports.queue`."""

import structlog
from celery import shared_task

from reports import queue

logger = structlog.get_logger(__name__)


@shared_task(name="reports.deliver")
def deliver(*, report_id: str = "") -> None:
    """Render and mail the reports that are next, ``report_id``'s in its turn.

    Can run any number of times.
    """
    queue.work()


@shared_task(name="reports.sweep")
def sweep() -> None:
    """Announce reports that a lost message or a dead worker has left behind."""
    queue.reports_sweep()


@shared_task(name="reports.purge")
def purge() -> None:
    """Remove what is past its time."""
    logger.info("reports.purged", **queue.reports_purge())
