"""Mailing a document to its recipient: at most once, or with an unknown outcome.

:mod:`shop.core.smtp` interprets the mail server's answers.
"""

import re
import uuid
from email.utils import formataddr, parseaddr
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.db.models.functions import Now

from documents.kinds import kind_of
from documents.models import Document
from documents.site_settings import MAIL_ATTACHMENT_MIB, MAIL_ATTEMPTS
from documents.storage import store
from shop.core.jobs import backoff, from_now, write_outcome
from shop.core.smtp import Delivery, Outcome, send_once

logger = structlog.get_logger(__name__)

UNKNOWN_OUTCOME = (
    "Outcome unknown: the mail may or may not have been delivered. It is not sent again; "
    "the PDF can be downloaded."
)
NO_LONGER_ALLOWED = "The recipient may no longer have this document."
NO_ADDRESS = "There is no verified e-mail address to mail it to."
NOT_ACCEPTED = "The mail server did not take the mail"
NOT_READ = "The stored file cannot be read at the moment, and the mail is tried again."


def document_mail(document_id: uuid.UUID) -> bool:
    """Mail a ready document to its recipient, once; do nothing where it is not ready.

    Return ``False`` where the mail server or the store is unreachable.
    """
    document = (
        Document.objects.select_related("requested_by")
        .filter(pk=document_id, status=Document.Status.READY)
        .first()
    )
    if document is None:
        return True
    kind = kind_of(document)
    address = kind.recipient(document)
    if address is None or not kind.is_allowed(document):
        _give_up(document, NO_ADDRESS if address is None else NO_LONGER_ALLOWED)
        return True
    try:
        attachment = _attachment(document)
    except FileNotFoundError as error:
        _render_again(document, error)
        return True
    except OSError as error:
        _put_off(document, error)
        return False
    return _send(document, address, attachment)


def _send(document: Document, address: str, attachment: bytes | None) -> bool:
    """Make one attempt and store its outcome; return whether the server is reachable."""
    claim = uuid.uuid4()
    ready = Document.objects.filter(pk=document.pk, status=Document.Status.READY)
    sending: dict[str, Any] = {
        "status": Document.Status.SENDING,
        "claim": claim,
        "claimed_at": Now(),
        "mail_attempts": F("mail_attempts") + 1,
    }
    with_link = _message(document, address, None)
    delivery = send_once(
        with_link if attachment is None else _message(document, address, attachment),
        claim=lambda: bool(ready.update(**sending)),
        smaller=None if attachment is None else with_link,
    )
    write_outcome(lambda: _store(document, claim, address, delivery))
    return delivery.outcome is not Outcome.UNREACHABLE


def _store(document: Document, claim: uuid.UUID, address: str, delivery: Delivery) -> None:
    mine = Document.objects.filter(pk=document.pk, claim=claim)
    match delivery.outcome:
        case Outcome.UNREACHABLE:
            _not_accepted(document, None, address, delivery)
        case Outcome.REFUSED:
            _not_accepted(document, claim, address, delivery)
        case Outcome.UNKNOWN:
            reason = type(delivery.error).__name__
            logger.warning("document.outcome_unknown", document_id=str(document.pk), reason=reason)
            mine.update(status=Document.Status.FAILED, error=UNKNOWN_OUTCOME)
        case Outcome.SENT:
            # This also applies if the sweep gave up this worker meanwhile, because the mail was
            # sent.
            mine.update(status=Document.Status.SENT, emailed_at=Now(), error="")
            logger.info("document.sent", document_id=str(document.pk), kind=document.kind)


# --- the message ------------------------------------------------------------------------------


def _attachment(document: Document) -> bytes | None:
    """Return the file's bytes, or ``None`` where there is none or it is too large for a mail."""
    if (
        not kind_of(document).filed
        or (document.size or 0) > MAIL_ATTACHMENT_MIB.value * 1024 * 1024
    ):
        return None
    with store.read(document.file) as file:
        return file.read()


def _message(document: Document, address: str, attachment: bytes | None) -> EmailMessage:
    kind = kind_of(document)
    letter = kind.letter(document, attached=attachment is not None)
    site = settings.DEFAULT_FROM_EMAIL
    message = EmailMessage(
        subject=letter.subject,
        body=letter.body,
        from_email=formataddr((letter.sender, parseaddr(site)[1])) if letter.sender else site,
        to=[address],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers={"Message-ID": kind.message_id(document), "Auto-Submitted": "auto-generated"},
    )
    if attachment is not None:
        message.attach(kind.file_name(document), attachment, kind.media_type)
    return message


# --- outcomes ---------------------------------------------------------------------------------


def _not_accepted(
    document: Document, claim: uuid.UUID | None, address: str, delivery: Delivery
) -> None:
    """Set a document to ready for a later attempt, or to failed after a permanent refusal.

    ``claim`` is ``None`` where the server was unreachable. That is never the document's fault, so
    the refusal is not permanent.
    """
    refused = delivery.refusal
    # A server repeats the address, which an erasure could not find in a text.
    words = re.sub(re.escape(address), "…", refused.words, flags=re.IGNORECASE)
    told = f"{NOT_ACCEPTED}: {words}" if words else f"{NOT_ACCEPTED}."
    logger.warning("document.mail_not_accepted", document_id=str(document.pk), reason=told)
    attempts = document.mail_attempts + 1
    last = attempts >= MAIL_ATTEMPTS.value
    changes: dict[str, Any] = {
        "claim": None,
        "next_attempt_at": from_now(backoff(settings.DOCUMENT_RETRY_SECONDS, attempts)),
    }
    if claim is None:
        # The error of a connection names hosts and accounts, so it goes to the log only.
        _ready(document).update(
            status=Document.Status.FAILED if last else Document.Status.READY,
            mail_attempts=attempts,
            error=f"{NOT_ACCEPTED}.",
            **changes,
        )
    else:
        failed = last or refused.permanent
        Document.objects.filter(pk=document.pk, claim=claim).update(
            status=Document.Status.FAILED if failed else Document.Status.READY,
            error=told,
            **changes,
        )


def _ready(document: Document) -> Any:
    """Return a queryset of the row, empty if another worker has tried to mail it since."""
    return Document.objects.filter(
        pk=document.pk, status=Document.Status.READY, mail_attempts=document.mail_attempts
    )


def _put_off(document: Document, error: OSError) -> None:
    """Retry later without counting an attempt, because the store is away."""
    logger.warning("document.store_away", document_id=str(document.pk), reason=str(error))
    _ready(document).update(
        error=NOT_READ, next_attempt_at=from_now(settings.DOCUMENT_RETRY_SECONDS)
    )


def _give_up(document: Document, told: str) -> None:
    Document.objects.filter(pk=document.pk, status=Document.Status.READY).update(
        status=Document.Status.FAILED, claim=None, error=told
    )


def _render_again(document: Document, error: OSError) -> None:
    """Queue a document again, because its stored file is missing."""
    logger.warning("document.file_missing", document_id=str(document.pk), reason=str(error))
    final = document.attempts >= settings.DOCUMENT_RENDER_ATTEMPTS
    Document.objects.filter(pk=document.pk, status=Document.Status.READY).update(
        status=Document.Status.FAILED if final else Document.Status.QUEUED,
        claim=None,
        file="",
        rendered_at=None,
        error="The stored PDF is missing.",
        next_attempt_at=from_now(settings.DOCUMENT_RETRY_SECONDS),
    )
