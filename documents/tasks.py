"""What the workers do: thin tasks around :mod:`documents.queue` and :mod:`documents.upkeep`.

The names are from when reports were the only documents: workers and beat of the version before,
which run beside during a deploy, send and take the same messages.
"""

import structlog
from celery import shared_task

from documents import queue, upkeep

logger = structlog.get_logger(__name__)


@shared_task(name="reports.deliver")
def deliver(*, report_id: str = "") -> None:
    """Render and mail the documents that are next, ``report_id``'s in its turn.

    Can run any number of times.
    """
    queue.work()


@shared_task(name="reports.sweep")
def sweep() -> None:
    """Announce documents that a lost message or a dead worker has left behind."""
    upkeep.documents_sweep()


@shared_task(name="reports.purge")
def purge() -> None:
    """Remove what is past its time."""
    logger.info("documents.purged", **upkeep.documents_purge())
