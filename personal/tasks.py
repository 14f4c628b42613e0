"""The workers' tasks of erasures."""

import structlog
from celery import shared_task
from django.db.models.functions import Now

from people.guard import LastAdmin
from personal.erasing import due_work, erase, finish, put_off
from personal.errors import Held
from personal.models import Erasure, Tombstone

logger = structlog.get_logger(__name__)


@shared_task(name="personal.erase")
def erase_due() -> None:
    """Erase the accounts whose time has come, and finish what is left of earlier erasures."""
    due, unfinished = due_work()
    for erasure in due:
        try:
            if erase(erasure):
                unfinished.append(Erasure.objects.get(pk=erasure.pk))
        except (Held, LastAdmin, OSError) as error:
            logger.warning(
                "erasure.put_off", user_id=erasure.account_id, reason=type(error).__name__
            )
            put_off(erasure)
    for erasure in unfinished:
        finish(erasure)
    Tombstone.objects.filter(until__lt=Now()).delete()
