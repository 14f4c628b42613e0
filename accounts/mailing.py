"""Mails about accounts: a queue of rows that a worker sends.

The row is the job. It is written in the transaction of the change that it tells of, so no request
waits for a mail server. A mail is claimed before it is sent, and never sent twice. If the worker
dies or the connection breaks after the claim, its outcome is unknown and stays so.
:mod:`shop.core.jobs` and :mod:`shop.core.smtp` hold what every such queue has in common.
"""

import contextlib
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.emails import lock_email
from accounts.models import OutgoingMail
from accounts.site_settings import MAILS_PER_DAY, MAILS_PER_HOUR
from shop.celery import hint
from shop.core.jobs import backoff, due, from_now, stale, write_outcome
from shop.core.smtp import Delivery, Outcome, Refusal, send_once

logger = structlog.get_logger(__name__)

QUEUED_MAX = 10_000
KEPT = timedelta(days=7)
ATTEMPTS = 12
FIRST_DELAY_SECONDS = 10
SENDING_SECONDS = 120
"""A mail has an unknown outcome if its worker reports nothing for this long."""
BATCH_SECONDS = 60
UNKNOWN_OUTCOME = "Outcome unknown: the mail may or may not have been delivered."

# Mails that anybody can cause to any address. They are counted by purpose.
STRANGERS_MAILS = {
    "account/email/password_reset_key": "reset",
    "account/email/login_code": "code",
    "account/email/unknown_account": "reset",
    "account/email/account_already_exists": "sign-up",
    "account/email/email_confirmation": "confirm",
    "account/email/email_confirmation_signup": "confirm",
}
HOURLY_FROM_ONE_ADDRESS = 5


def mail_queue(
    *,
    kind: str,
    recipient: str,
    subject: str,
    body: str,
    origin: str = "",
    purpose: str = "",
) -> bool:
    """Queue a mail. Return whether it will be sent.

    ``kind`` is the prefix of its templates. Mails to addresses that their cause does not own are
    counted by ``purpose``, which some kinds have by themselves. ``origin`` is the network that
    asked for it. One network may cause a few mails an hour to one address, and all networks
    together somewhat more. Further mails are dropped. Nobody is told, because an answer would tell
    which addresses have accounts. The owner is not locked out, because each link that did
    arrive is good for days.
    """
    purpose = purpose or STRANGERS_MAILS.get(kind, "")
    with transaction.atomic():
        if purpose:
            lock_email(recipient)
            if _too_many(purpose, recipient, origin):
                logger.warning("mail.dropped", kind=kind, origin=origin)
                return False
        OutgoingMail.objects.create(
            purpose=purpose, recipient=recipient, subject=subject, body=body, origin=origin
        )
        transaction.on_commit(announce)
    return True


def _too_many(purpose: str, recipient: str, origin: str) -> bool:
    earlier = OutgoingMail.objects.filter(recipient=recipient, purpose=purpose)
    hour = earlier.filter(created_at__gt=from_now(-3600))
    queued = OutgoingMail.objects.filter(status=OutgoingMail.Status.QUEUED)
    return (
        hour.filter(origin=origin).count() >= HOURLY_FROM_ONE_ADDRESS
        or hour.count() >= MAILS_PER_HOUR.value
        or earlier.filter(created_at__gt=from_now(-24 * 3600)).count() >= MAILS_PER_DAY.value
        or queued[:QUEUED_MAX].count() >= QUEUED_MAX
    )


def announce() -> None:
    """Tell the workers that mails wait. If the broker is away, the sweep finds them."""
    hint("accounts.send_mails", expires=60)


def _due() -> QuerySet[OutgoingMail]:
    return OutgoingMail.objects.filter(due(), status=OutgoingMail.Status.QUEUED)


def mails_send() -> int:
    """Send due mails for ``BATCH_SECONDS`` at most. Return how many were sent.

    Only one worker does so at a time, so a mail server that hangs never holds up more than one of
    the workers that also make reports. The worker stops if it cannot reach the server.
    """
    sent, reachable, until = 0, True, time.monotonic() + BATCH_SECONDS
    with _only_sender() as alone:
        if not alone:
            return 0
        while reachable and time.monotonic() < until:
            mail = _due().order_by("next_attempt_at", "pk").first()
            if mail is None:
                break
            reachable = _send(mail)
            sent += OutgoingMail.objects.filter(pk=mail.pk, status=OutgoingMail.Status.SENT).count()
    # A mail may have come after the last look, while its announcement found us still here.
    if reachable and _due().exists():
        announce()
    return sent


@contextlib.contextmanager
def _only_sender() -> Iterator[bool]:
    key = "hashtextextended('accounts.mailing', 0)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({key})")
        alone: bool = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_advisory_unlock({key})")


def _send(mail: OutgoingMail) -> bool:
    """Try to send a mail. Return whether the mail server could be reached."""
    queued = OutgoingMail.objects.filter(
        pk=mail.pk, status=OutgoingMail.Status.QUEUED, attempts=mail.attempts
    )
    sending = {
        "status": OutgoingMail.Status.SENDING,
        "claim": uuid.uuid4(),
        "claimed_at": Now(),
        "error": "",
    }
    delivery = send_once(_message(mail), claim=lambda: bool(queued.update(**sending)))
    write_outcome(lambda: _store(mail, delivery))
    return delivery.outcome is not Outcome.UNREACHABLE


def _store(mail: OutgoingMail, delivery: Delivery) -> None:
    match delivery.outcome:
        case Outcome.UNREACHABLE:
            _not_accepted(mail, delivery.refusal, final=False)
        case Outcome.REFUSED:
            _not_accepted(mail, delivery.refusal, final=delivery.refusal.permanent)
        case Outcome.UNKNOWN:
            reason = type(delivery.error).__name__
            logger.warning("mail.outcome_unknown", mail_id=mail.pk, reason=reason)
            _finish(mail, OutgoingMail.Status.FAILED, UNKNOWN_OUTCOME)
        case Outcome.SENT:
            _finish(mail, OutgoingMail.Status.SENT, "")


def _message(mail: OutgoingMail) -> EmailMessage:
    return EmailMessage(
        subject=mail.subject,
        body=mail.body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.recipient],
        headers={
            "Message-ID": f"<account-{mail.pk}@scalable-shop>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _not_accepted(mail: OutgoingMail, refusal: Refusal, *, final: bool) -> None:
    """Queue a mail for a later attempt. Fail it after the last one, or if none can succeed."""
    logger.warning("mail.not_accepted", mail_id=mail.pk, reason=refusal.words, final=final)
    reason = f"The mail server did not take it: {refusal.words}"
    attempts = mail.attempts + 1
    if final or attempts >= ATTEMPTS:
        _finish(mail, OutgoingMail.Status.FAILED, reason)
        return
    OutgoingMail.objects.filter(pk=mail.pk, attempts=mail.attempts).update(
        status=OutgoingMail.Status.QUEUED,
        attempts=attempts,
        claim=None,
        error=reason,
        next_attempt_at=from_now(backoff(FIRST_DELAY_SECONDS, attempts)),
    )


def _finish(mail: OutgoingMail, status: OutgoingMail.Status, error: str) -> None:
    # The body is no longer needed, and its link may let a reader in.
    OutgoingMail.objects.filter(pk=mail.pk).update(
        status=status, finished_at=Now(), attempts=mail.attempts + 1, error=error, body=""
    )


def mails_sweep() -> None:
    """Give up mails whose workers died while sending, and announce due ones."""
    OutgoingMail.objects.filter(stale(SENDING_SECONDS), status=OutgoingMail.Status.SENDING).update(
        status=OutgoingMail.Status.FAILED, finished_at=Now(), error=UNKNOWN_OUTCOME, body=""
    )
    if _due().exists():
        announce()
