"""Mailing a rendered report to its account: once, or with the word that nobody knows.

The connection to the mail server is made before the report is claimed, so that a server that is
away leaves the report as it was. Once claimed, only an answer that certainly means "not accepted"
makes it ready again.
"""

import contextlib
import smtplib
import uuid
from typing import Any

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.mail import EmailMessage, get_connection
from django.db.models import F
from django.db.models.functions import Now

from reports.access import may_request
from reports.clock import LONGEST_DELAY_SECONDS, from_now
from reports.models import Report
from reports.services import EmailNotVerified, verified_address
from shop.core.smtp import REFUSED, refusal

logger = structlog.get_logger(__name__)

UNKNOWN_OUTCOME = (
    "Outcome unknown: the mail may or may not have been delivered. It is not sent again; "
    "the PDF can be downloaded."
)
NO_LONGER_ALLOWED = "The account may no longer have this report."
NOT_ACCEPTED = "The mail server did not take the mail"
TOO_LARGE = 552
"""SMTP's code for a mail over the server's or the mailbox's size (RFC 5321, RFC 1870)."""


def report_mail(report_id: uuid.UUID) -> bool:
    """Mail a ready report to its account, once; do nothing where it is not ready.

    Return whether the mail server could be reached, or did not have to be.
    """
    report = (
        Report.objects.select_related("requested_by")
        .filter(pk=report_id, status=Report.Status.READY)
        .first()
    )
    if report is None:
        return True
    address = verified_address(report.requested_by)
    if address is None or not report_allowed(report):
        _give_up(report, EmailNotVerified.detail if address is None else NO_LONGER_ALLOWED)
        return True
    try:
        attachment = _attachment(report)
    except OSError as error:
        _render_again(report, error)
        return True
    mailer = get_connection(fail_silently=False)
    try:
        mailer.open()
    except (OSError, smtplib.SMTPException) as error:
        _not_accepted(report, None, error)
        return False
    try:
        _send(report, address, attachment, mailer)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            mailer.close()
    return True


def report_allowed(report: Report) -> bool:
    """Return whether the requester may still have what was once requested."""
    user = report.requested_by
    return user.is_active and may_request(user, report.kind)


def _send(report: Report, address: str, attachment: bytes | None, mailer: Any) -> None:
    message = _message(report, address, attachment)
    if attachment is not None and len(message.message().as_bytes()) > _size_limit(mailer):
        attachment, message = None, _message(report, address, None)
    claim = uuid.uuid4()
    taken = Report.objects.filter(pk=report.pk, status=Report.Status.READY).update(
        status=Report.Status.SENDING,
        claim=claim,
        claimed_at=Now(),
        mail_attempts=F("mail_attempts") + 1,
    )
    if not taken:
        return
    try:
        try:
            mailer.send_messages([message])
        except REFUSED as error:
            if attachment is None or refusal(error).code != TOO_LARGE:
                raise
            # The server certainly has not taken it, so the mail with a link is the first one.
            mailer.send_messages([_message(report, address, None)])
    except REFUSED as error:
        _not_accepted(report, claim, error)
        return
    except Exception as error:
        # A lost connection, a timeout, the task's time limit: the server may have the mail.
        logger.warning(
            "report.outcome_unknown", report_id=str(report.pk), reason=type(error).__name__
        )
        Report.objects.filter(pk=report.pk, claim=claim).update(
            status=Report.Status.FAILED, error=UNKNOWN_OUTCOME
        )
        return
    # Also where the sweep gave this worker up meanwhile: the mail did go out.
    Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.SENT, emailed_at=Now(), error=""
    )
    logger.info("report.sent", report_id=str(report.pk))


# --- the message ------------------------------------------------------------------------------


def _attachment(report: Report) -> bytes | None:
    """Return the PDF, or ``None`` where it is too large for a mail."""
    if (report.size or 0) > settings.REPORTS_ATTACHMENT_MAX_BYTES:
        return None
    with default_storage.open(str(report.pdf)) as file:
        content: bytes = file.read()
    return content


def _message(report: Report, address: str, attachment: bytes | None) -> EmailMessage:
    period = f"{report.since} to {report.until}"
    name = "sales report" if report.kind == Report.Kind.SALES else "statement"
    link = f"{settings.SITE_URL}/reports/"
    where = (
        "It is attached to this mail"
        if attachment is not None
        else "It is too large for a mail, so it is not attached"
    )
    message = EmailMessage(
        subject=f"{settings.SITE_NAME}: {name} {period}",
        body=(
            f"Hello {report.requested_by.username},\n\n"
            f"the {name} you asked for, {period}, is ready.\n"
            f"{where}, and you can download it at {link}\n\n{settings.SITE_NAME}\n"
        ),
        to=[address],
        headers={"Message-ID": report.message_id, "Auto-Submitted": "auto-generated"},
    )
    if attachment is not None:
        message.attach(
            f"{report.kind}-{report.since}-{report.until}.pdf", attachment, "application/pdf"
        )
    return message


def _size_limit(mailer: Any) -> float:
    """Return the bytes that the server says it takes (RFC 1870); infinite where it says nothing."""
    features = getattr(getattr(mailer, "connection", None), "esmtp_features", {})
    size = features.get("size", "")
    return float(size) if size.isdigit() and int(size) else float("inf")


# --- outcomes ---------------------------------------------------------------------------------


def _not_accepted(report: Report, claim: uuid.UUID | None, error: Exception) -> None:
    """Put a report back to ready for a later attempt, or fail it where none would help.

    ``claim`` is ``None`` where the server could not even be reached: that is never the report's
    fault, so no answer then is permanent.
    """
    refused = refusal(error)
    told = f"{NOT_ACCEPTED}: {refused.words}" if refused.words else f"{NOT_ACCEPTED}."
    logger.warning("report.mail_not_accepted", report_id=str(report.pk), reason=told)
    attempts = report.mail_attempts + 1
    final = attempts >= settings.REPORTS_MAIL_ATTEMPTS or (refused.permanent and claim is not None)
    delay = min(settings.REPORTS_RETRY_SECONDS * 2 ** min(attempts, 10), LONGEST_DELAY_SECONDS)
    changes: dict[str, Any] = {
        "status": Report.Status.FAILED if final else Report.Status.READY,
        "claim": None,
        # What a connection failed by names hosts and accounts, which is for the log.
        "error": told if claim is not None else f"{NOT_ACCEPTED}.",
        "next_attempt_at": from_now(delay),
    }
    if claim is None:
        changes["mail_attempts"] = attempts
        Report.objects.filter(
            pk=report.pk, status=Report.Status.READY, mail_attempts=report.mail_attempts
        ).update(**changes)
    else:
        Report.objects.filter(pk=report.pk, claim=claim).update(**changes)


def _give_up(report: Report, told: str) -> None:
    Report.objects.filter(pk=report.pk, status=Report.Status.READY).update(
        status=Report.Status.FAILED, claim=None, error=told
    )


def _render_again(report: Report, error: OSError) -> None:
    """Queue a report anew whose stored PDF cannot be read."""
    logger.warning("report.pdf_missing", report_id=str(report.pk), reason=type(error).__name__)
    final = report.attempts >= settings.REPORTS_RENDER_ATTEMPTS
    Report.objects.filter(pk=report.pk, status=Report.Status.READY).update(
        status=Report.Status.FAILED if final else Report.Status.QUEUED,
        claim=None,
        pdf="",
        rendered_at=None,
        error="The stored PDF is missing.",
        next_attempt_at=from_now(settings.REPORTS_RETRY_SECONDS),
    )
