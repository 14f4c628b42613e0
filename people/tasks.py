"""Housekeeping of people."""

import structlog
from celery import shared_task

from people.idempotency import answers_purge
from people.invitations import invitations_purge

logger = structlog.get_logger(__name__)


@shared_task(name="people.purge")
def purge() -> None:
    """Delete invitations that have ended, and answers that nobody asks for any more."""
    logger.info("people.purged", invitations=invitations_purge(), answers=answers_purge())
