"""Housekeeping of accounts."""

from typing import Any

import structlog
from celery import shared_task
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from knox.models import AuthToken

from accounts.models import LiveTicket

logger = structlog.get_logger(__name__)

BATCH = 2000


@shared_task(name="accounts.purge")
def purge() -> None:
    """Delete tokens, sessions and tickets that have ended."""
    now = timezone.now()
    logger.info(
        "accounts.purged",
        tokens=_delete(AuthToken.objects.filter(expiry__lt=now)),
        sessions=_delete(Session.objects.filter(expire_date__lt=now)),
        tickets=_delete(LiveTicket.objects.filter(expires_at__lt=now)),
    )


def _delete(expired: QuerySet[Any]) -> int:
    """Delete the rows in short transactions; return how many they were."""
    deleted = 0
    while True:
        keys = list(expired.order_by().values_list("pk", flat=True)[:BATCH])
        deleted += expired.filter(pk__in=keys).delete()[0] if keys else 0
        if len(keys) < BATCH:
            return deleted
