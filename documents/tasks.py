"""The workers' tasks, thin layers around :mod:`documents.queue` and :mod:`documents.upkeep`.

The names date from when reports were the only documents. They stay, because the previous version's
workers and beat exchange the same messages during a deploy.
"""

import structlog
from celery import shared_task

from documents import queue, upkeep
from documents.rendering_job import abandoned_remove

logger = structlog.get_logger(__name__)


@shared_task(name="reports.deliver")
def deliver(*, report_id: str = "") -> None:
    """Render and mail the next documents; ``report_id`` waits for its turn.

    The task is idempotent.
    """
    queue.work()


@shared_task(name="reports.sweep")
def sweep() -> None:
    """Announce documents again after a lost message or a dead worker, whose files go."""
    abandoned_remove()
    upkeep.documents_sweep()


@shared_task(name="reports.purge")
def purge() -> None:
    """Remove files and rows past their retention time."""
    logger.info("documents.purged", **upkeep.documents_purge())
