"""Writes to reports: requesting one, and the steps a worker takes it through.

Each step claims the row with a conditional update, commits, works outside any transaction, and
writes the outcome with another conditional update. Whatever dies in between leaves a row that the
sweep understands.
"""

import contextlib
import math
import smtplib
import threading
import uuid
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from reports import selectors
from reports.contents import RenderedReport, RenderingFailed
from reports.models import Report
from shop.celery import app
from shop.database import unhurried
from shop.errors import ApplicationError, Conflict, FieldError, Forbidden, ValidationFailed

logger = structlog.get_logger(__name__)

UNFINISHED_MAX = 50
QUOTA_WINDOW = timedelta(hours=1)
PERIOD_MAX = timedelta(days=366 * 100)
FUTURE_MAX = timedelta(days=366)
LONGEST_DELAY_SECONDS = 1800
UNKNOWN_OUTCOME = (
    "Outcome unknown: the mail may or may not have been delivered. It is not sent again; "
    "the PDF can be downloaded."
)
NO_LONGER_ALLOWED = "The account may no longer have this report."

T = TypeVar("T")


class EmailNotVerified(Conflict):
    """A report is mailed, so the account needs a verified address first."""

    code = "email_not_verified"
    detail = "Verify your e-mail address first; the report is mailed to it."


class TooManyReports(ApplicationError):
    """The account has too many reports that are not finished."""

    status = 429
    code = "too_many_reports"
    detail = f"At most {UNFINISHED_MAX} reports can be under way for one account."
    retry_after = 30


class ReportQuotaUsedUp(ApplicationError):
    """The account has requested as many reports as it may within an hour."""

    status = 429
    code = "throttled"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"At most {settings.QUOTA_REPORTS_PER_HOUR} reports an hour can be requested."
        )


class IdempotencyKeyReused(ApplicationError):
    """The idempotency key came before, with another body."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used before with another body."


def report_request(
    *,
    caller_user: User,
    kind: str,
    since: date,
    until: date,
    idempotency_key: str | None = None,
) -> tuple[Report, bool]:
    """Queue a report for the account; return it and whether it was requested before.

    ``since`` and ``until`` both belong to the period. Raises ``Forbidden``, ``EmailNotVerified``,
    ``ValidationFailed``, ``IdempotencyKeyReused`` or ``TooManyReports``.
    """
    if kind == Report.Kind.SALES and not caller_user.is_staff:
        raise Forbidden("The sales report is for staff.")
    if since > until:
        raise ValidationFailed(
            [FieldError("invalid", "The period ends before it begins.", "until")]
        )
    if until - since > PERIOD_MAX:
        raise ValidationFailed([FieldError("invalid", "The period is over 100 years.", "since")])
    if until > timezone.now().date() + FUTURE_MAX:
        detail = "The period ends more than a year from now."
        raise ValidationFailed([FieldError("invalid", detail, "until")])
    if not verified_address(caller_user):
        raise EmailNotVerified()
    body = {"kind": kind, "since": since, "until": until}
    if idempotency_key is not None:
        earlier = _earlier(caller_user, idempotency_key, body)
        if earlier is not None:
            return earlier, True
    unfinished = Report.objects.filter(requested_by=caller_user).exclude(
        status__in=[Report.Status.SENT, Report.Status.FAILED]
    )
    if len(unfinished.values_list("pk")[:UNFINISHED_MAX]) >= UNFINISHED_MAX:
        raise TooManyReports()
    _check_quota(caller_user)
    try:
        with transaction.atomic():
            report = Report.objects.create(
                requested_by=caller_user, idempotency_key=idempotency_key, **body
            )
    except IntegrityError:
        earlier = _earlier(caller_user, idempotency_key or "", body)
        if earlier is None:
            raise
        return earlier, True
    report.refresh_from_db()
    transaction.on_commit(lambda: announce(report.pk))
    return report, False


def _check_quota(user: User) -> None:
    quota: int = settings.QUOTA_REPORTS_PER_HOUR
    if not quota:
        return
    hour_ago = timezone.now() - QUOTA_WINDOW
    requested = (
        Report.objects.filter(requested_by=user, created_at__gt=hour_ago)
        .order_by("-created_at")
        .values_list("created_at", flat=True)
    )
    # The report that has to be an hour old before there is room for another.
    oldest = requested[quota - 1 : quota].first()
    if oldest is not None:
        raise ReportQuotaUsedUp(max(1, math.ceil((oldest - hour_ago).total_seconds())))


def _earlier(user: User, idempotency_key: str, body: dict[str, Any]) -> Report | None:
    report = Report.objects.filter(requested_by=user, idempotency_key=idempotency_key).first()
    if report is not None and any(getattr(report, name) != body[name] for name in body):
        raise IdempotencyKeyReused()
    return report


def verified_address(user: User) -> str | None:
    """Return the account's address if it is verified."""
    found = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).first()
    return user.email if found else None


def report_allowed(report: Report) -> bool:
    """Return whether the requester may still have what was once requested."""
    user = report.requested_by
    return user.is_active and (user.is_staff or report.kind != Report.Kind.SALES)


def announce(report_id: uuid.UUID) -> bool:
    """Tell the workers of a report; return whether the broker took the message.

    A broker that is away is no harm, since the sweep looks again.
    """
    try:
        app.send_task("reports.deliver", kwargs={"report_id": str(report_id)}, retry=False)
    except Exception as error:
        logger.warning(
            "report.announcement_lost", report_id=str(report_id), reason=type(error).__name__
        )
        return False
    return True


# --- time -------------------------------------------------------------------------------------
# The database's clock is the only one, so that workers whose clocks differ agree on what is due.
# It may be set as well: a moment that lies further ahead than any is ever put counts as over.


def _from_now(seconds: float) -> Combinable:
    return Now() + timedelta(seconds=seconds)


def _due() -> Q:
    ahead = max(
        LONGEST_DELAY_SECONDS, settings.REPORTS_CLAIM_SECONDS, settings.REPORTS_RETRY_SECONDS
    )
    return Q(next_attempt_at__lte=Now()) | Q(next_attempt_at__gt=_from_now(ahead))


def _stale(seconds: float) -> Q:
    return Q(claimed_at__lt=_from_now(-seconds)) | Q(claimed_at__gt=_from_now(seconds))


# --- rendering --------------------------------------------------------------------------------


def report_render(report_id: uuid.UUID) -> None:
    """Render a queued report and store its PDF; do nothing where it is not queued."""
    claim = uuid.uuid4()
    taken = Report.objects.filter(pk=report_id, status=Report.Status.QUEUED).update(
        status=Report.Status.RENDERING,
        claim=claim,
        claimed_at=Now(),
        attempts=F("attempts") + 1,
    )
    if not taken:
        return
    report = Report.objects.select_related("requested_by").get(pk=report_id)
    name = f"{report.created_at:%Y/%m}/{report.pk}.pdf"
    target = Path(default_storage.path(name))
    # The claim is in the name, so that two workers never write the same file.
    output = target.with_suffix(f".{claim.hex}")
    logger.info("report.rendering", report_id=str(report.pk), attempt=report.attempts)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        with _renewing(claim):
            rendered = _render(report, output)
        if not Report.objects.filter(pk=report.pk, claim=claim).exists():
            # Given to another worker meanwhile, whose file must not be replaced.
            output.unlink(missing_ok=True)
            return
        output.replace(target)
    except RenderingFailed as error:
        _rendering_failed(report, claim, "The PDF could not be made.", error)
        return
    except OSError as error:
        _rendering_failed(report, claim, "The PDF could not be stored.", error)
        return
    stored = Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.READY,
        pdf=name,
        pages=rendered.pages,
        size=rendered.size,
        sha256=rendered.sha256,
        rendered_at=Now(),
        next_attempt_at=Now(),
        error="",
    )
    if stored:
        logger.info("report.ready", report_id=str(report.pk), pages=rendered.pages)


def _remove_leftovers(target: Path) -> None:
    """Delete what workers that were killed while rendering this report have left."""
    for pattern in (f"{target.stem}.*", f".{target.stem}.*"):
        for path in target.parent.glob(pattern):
            if path != target:
                path.unlink(missing_ok=True)


def _render(report: Report, output: Path) -> RenderedReport:
    # Only a worker renders, but the web process imports this module too.
    from reports.rendering import render_sales, render_statement

    report = selectors.report_to_render(report)
    using = report._state.db or "default"
    with contextlib.ExitStack() as reading:
        reading.enter_context(unhurried(using))
        reading.enter_context(selectors.snapshot(using))
        if report.kind == Report.Kind.SALES:
            return render_sales(
                header=selectors.sales_header(report),
                lines=_closing(selectors.sales_lines(report), reading),
                output=output,
            )
        return render_statement(
            header=selectors.statement_header(report),
            lines=_closing(selectors.statement_lines(report), reading),
            output=output,
        )


def _closing(lines: Iterator[T], reading: contextlib.ExitStack) -> Iterator[T]:
    """Yield the lines and end the snapshot after the last, as typesetting may take minutes."""
    yield from lines
    reading.close()


def _rendering_failed(report: Report, claim: uuid.UUID, told: str, error: Exception) -> None:
    logger.warning("report.rendering_failed", report_id=str(report.pk), reason=str(error))
    final = report.attempts >= settings.REPORTS_RENDER_ATTEMPTS
    Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.FAILED if final else Report.Status.QUEUED,
        claim=None,
        error=told,
        next_attempt_at=_from_now(settings.REPORTS_RETRY_SECONDS),
    )


@contextlib.contextmanager
def _renewing(claim: uuid.UUID) -> Iterator[None]:
    """Renew a claim from a thread, so that only a dead worker's goes stale."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(settings.REPORTS_CLAIM_SECONDS / 4):
            with contextlib.suppress(Exception):
                Report.objects.filter(claim=claim, status=Report.Status.RENDERING).update(
                    claimed_at=Now()
                )
            connection.close()

    thread = threading.Thread(target=renew, name="renew", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# --- mailing ----------------------------------------------------------------------------------


def report_mail(report_id: uuid.UUID) -> None:
    """Mail a ready report to its account, once; do nothing where it is not ready or not due.

    The connection to the mail server is made before the report is claimed, so that a server that
    is away leaves the report as it was. Once claimed, only an answer that certainly means "not
    accepted" makes it ready again.
    """
    report = (
        Report.objects.select_related("requested_by")
        .filter(_due(), pk=report_id, status=Report.Status.READY)
        .first()
    )
    if report is None:
        return
    address = verified_address(report.requested_by)
    if address is None or not report_allowed(report):
        Report.objects.filter(pk=report.pk, status=Report.Status.READY).update(
            status=Report.Status.FAILED,
            claim=None,
            error=EmailNotVerified.detail if address is None else NO_LONGER_ALLOWED,
        )
        return
    mailer = get_connection(fail_silently=False)
    try:
        message = _message(report, address)
        mailer.open()
    except (OSError, smtplib.SMTPException) as error:
        _not_accepted(report, None, error)
        return
    claim = uuid.uuid4()
    taken = Report.objects.filter(pk=report.pk, status=Report.Status.READY).update(
        status=Report.Status.SENDING,
        claim=claim,
        claimed_at=Now(),
        mail_attempts=F("mail_attempts") + 1,
    )
    if not taken:
        mailer.close()
        return
    try:
        mailer.send_messages([message])
    except (
        smtplib.SMTPRecipientsRefused,
        smtplib.SMTPSenderRefused,
        smtplib.SMTPDataError,
        smtplib.SMTPHeloError,
        smtplib.SMTPNotSupportedError,
    ) as error:
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
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            mailer.close()
    # Also where the sweep gave this worker up meanwhile: the mail did go out.
    Report.objects.filter(pk=report.pk, claim=claim).update(
        status=Report.Status.SENT, emailed_at=Now(), error=""
    )
    logger.info("report.sent", report_id=str(report.pk))


def _message(report: Report, address: str) -> EmailMessage:
    period = f"{report.since} to {report.until}"
    name = "Sales" if report.kind == Report.Kind.SALES else "Statement"
    link = f"{settings.SITE_URL}/reports/"
    attached = (report.size or 0) <= settings.REPORTS_ATTACHMENT_MAX_BYTES
    where = (
        "It is attached to this mail"
        if attached
        else "It is too large for a mail, so it is not attached"
    )
    message = EmailMessage(
        subject=f"{settings.SITE_NAME}: {name.lower()} {period}",
        body=(
            f"Hello {report.requested_by.username},\n\n"
            f"the {name.lower()} you asked for, {period}, is ready.\n"
            f"{where}, and you can download it at {link}\n\n{settings.SITE_NAME}\n"
        ),
        to=[address],
        headers={"Message-ID": report.message_id, "Auto-Submitted": "auto-generated"},
    )
    if attached:
        with default_storage.open(str(report.pdf)) as file:
            message.attach(
                f"{name.lower()}-{report.since}-{report.until}.pdf", file.read(), "application/pdf"
            )
    return message


def _not_accepted(report: Report, claim: uuid.UUID | None, error: Exception) -> None:
    """Put a report back to ready for a later attempt, or fail it when there were enough."""
    logger.warning("report.mail_not_accepted", report_id=str(report.pk), reason=str(error))
    attempts = report.mail_attempts + 1
    final = attempts >= settings.REPORTS_MAIL_ATTEMPTS
    delay = min(settings.REPORTS_RETRY_SECONDS * 2 ** min(attempts, 10), LONGEST_DELAY_SECONDS)
    changes: dict[str, Any] = {
        "status": Report.Status.FAILED if final else Report.Status.READY,
        "claim": None,
        "error": "The mail server did not take the mail.",
        "next_attempt_at": _from_now(delay),
    }
    if claim is None:
        changes["mail_attempts"] = attempts
        Report.objects.filter(
            pk=report.pk, status=Report.Status.READY, mail_attempts=report.mail_attempts
        ).update(**changes)
    else:
        Report.objects.filter(pk=report.pk, claim=claim).update(**changes)


# --- the sweep --------------------------------------------------------------------------------


def reports_sweep() -> int:
    """Give up on dead workers and announce every report that is due; return how many are."""
    abandoned = Report.objects.filter(
        _stale(settings.REPORTS_CLAIM_SECONDS), status=Report.Status.RENDERING
    )
    abandoned.filter(attempts__gte=settings.REPORTS_RENDER_ATTEMPTS).update(
        status=Report.Status.FAILED,
        claim=None,
        error="Rendering was interrupted too often.",
    )
    abandoned.update(status=Report.Status.QUEUED, claim=None, next_attempt_at=Now())
    Report.objects.filter(
        _stale(settings.REPORTS_SENDING_SECONDS), status=Report.Status.SENDING
    ).update(status=Report.Status.FAILED, error=UNKNOWN_OUTCOME)
    waited = Q(created_at__lt=_from_now(-settings.REPORTS_SWEEP_SECONDS)) | Q(created_at__gt=Now())
    due = Report.objects.filter(
        Q(waited, status=Report.Status.QUEUED) | Q(status=Report.Status.READY), _due()
    ).order_by("next_attempt_at")
    ids = list(due.values_list("pk", flat=True)[:500])
    announced = []
    for report_id in ids:
        if not announce(report_id):
            break
        announced.append(report_id)
    # What waits for a free worker is not announced again at every sweep.
    Report.objects.filter(pk__in=announced, status=Report.Status.QUEUED).update(
        next_attempt_at=_from_now(settings.REPORTS_CLAIM_SECONDS)
    )
    return len(ids)


def reports_requeue(ids: Collection[uuid.UUID]) -> int:
    """Start failed reports anew that were certainly not mailed; return how many those were."""
    again: dict[str, Any] = {
        "attempts": 0,
        "mail_attempts": 0,
        "error": "",
        "next_attempt_at": Now(),
    }
    failed = Report.objects.filter(
        pk__in=ids, status=Report.Status.FAILED, claim=None, emailed_at=None
    )
    with transaction.atomic():
        count = failed.filter(rendered_at=None).update(status=Report.Status.QUEUED, **again)
        count += failed.update(status=Report.Status.READY, **again)
    for report_id in ids:
        if not announce(report_id):
            break
    return count
