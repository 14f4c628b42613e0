"""Housekeeping of accounts."""

from typing import Any

import structlog
from celery import shared_task
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from accounts import mailing
from accounts.factors.codes import KEPT as CODES_KEPT
from accounts.models import (
    BrowserSession,
    CaptchaUsed,
    CodeAttempt,
    LiveTicket,
    OutgoingMail,
    Place,
    Token,
)
from accounts.sessions.places import KEPT as PLACES_KEPT

logger = structlog.get_logger(__name__)

BATCH = 2000
purging = Signal()
"""Sent before what has expired is deleted, so that it can be counted."""


@shared_task(name="accounts.purge")
def purge() -> None:
    """Delete tokens, sessions and tickets that have ended, and mails of some days ago."""
    purging.send(purge)
    now = timezone.now()
    going_on = Session.objects.filter(session_key=OuterRef("session_key"))
    logger.info(
        "accounts.purged",
        tokens=_delete(Token.objects.filter(expiry__lt=now)),
        sessions=_delete(Session.objects.filter(expire_date__lt=now)),
        traces=_delete(BrowserSession.objects.filter(~Exists(going_on))),
        places=_delete(Place.objects.filter(last_used_at__lt=now - PLACES_KEPT)),
        codes=_delete(CodeAttempt.objects.filter(at__lt=now - CODES_KEPT)),
        captchas=_delete(CaptchaUsed.objects.filter(expires_at__lt=now)),
        tickets=_delete(LiveTicket.objects.filter(expires_at__lt=now)),
        mails=_delete(OutgoingMail.objects.filter(finished_at__lt=now - mailing.KEPT)),
    )


@shared_task(name="accounts.send_mails")
def send_mails() -> None:
    """Send the mails that are due."""
    mailing.mails_send()


@shared_task(name="accounts.sweep_mails")
def sweep_mails() -> None:
    """Handle mails that a lost message or a dead worker has left behind."""
    mailing.mails_sweep()


def _delete(expired: QuerySet[Any]) -> int:
    """Delete the rows in short transactions. Return how many there were."""
    deleted = 0
    while True:
        keys = list(expired.order_by().values_list("pk", flat=True)[:BATCH])
        deleted += expired.filter(pk__in=keys).delete()[0] if keys else 0
        if len(keys) < BATCH:
            return deleted
