"""The workers' task of leads."""

import structlog
from celery import shared_task

from quizzes.leads.upkeep import leads_purge

logger = structlog.get_logger(__name__)


@shared_task(name="quizzes.purge")
def purge() -> None:
    """Erase and delete what respondents left, when its time is over."""
    logger.info("leads.purged", **leads_purge())
