"""Requesting a report, and the limits of requests.

:mod:`documents` renders and mails it; :mod:`reports.kinds` defines its contents.
"""

import math
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet, Sum, Window
from django.utils import timezone

from accounts.emails import verified_address
from accounts.models import User
from documents.upkeep import announce
from reports.access import check_request
from reports.models import Report
from reports.site_settings import QUOTA_REPORT_PAGES_PER_HOUR, QUOTA_REPORTS_PER_HOUR
from shop.core.errors import ApplicationError, Conflict, FieldError, ValidationFailed
from shop.core.idempotency import IdempotencyKeyReused

UNFINISHED_MAX = 10
QUOTA_WINDOW = timedelta(hours=1)
PERIOD_MAX = timedelta(days=366 * 100)
FUTURE_MAX = timedelta(days=366)


class EmailNotVerified(Conflict):
    """The account has no verified address, and reports are mailed."""

    code = "email_not_verified"
    detail = "Verify your e-mail address first; the report is mailed to it."


class TooManyReports(ApplicationError):
    """The account has too many unfinished reports."""

    status = 429
    code = "too_many_reports"
    detail = f"At most {UNFINISHED_MAX} reports can be under way for one account."
    retry_after = 30


class ReportQuotaUsedUp(ApplicationError):
    """The account has used up its hourly quota of reports."""

    status = 429
    code = "throttled"

    def __init__(self, limit: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"At most {limit} an hour can be requested.")


def report_request(
    *,
    caller_user: User,
    kind: str,
    since: date,
    until: date,
    idempotency_key: str | None = None,
    customer: User | None = None,
) -> tuple[Report, bool]:
    """Queue a report for the account; return it, and whether this is a repeat.

    The period includes ``since`` and ``until``. ``customer`` is whose purchases a statement of a
    customer is about; it is mailed to the account that asks, not to the customer. Without a key, an
    equal report that no worker has begun is the same report. Raise ``Forbidden``,
    ``EmailNotVerified``, ``ValidationFailed``, ``IdempotencyKeyReused``, ``TooManyReports`` or
    ``ReportQuotaUsedUp``.
    """
    check_request(caller_user, kind)
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
    body: dict[str, Any] = {"kind": kind, "since": since, "until": until, "parameters": {}}
    if customer is not None:
        body["parameters"] = {"customer": customer.pk, "username": customer.username}
    with transaction.atomic():
        # The lock serializes the requests of one account, so that the limits hold.
        User.objects.select_for_update(no_key=True).only("pk").get(pk=caller_user.pk)
        reports = Report.objects.filter(requested_by=caller_user)
        if (earlier := _earlier(reports, idempotency_key, body)) is not None:
            return earlier, True
        _check_limits(reports)
        report = Report.objects.create(
            requested_by=caller_user, idempotency_key=idempotency_key, **body
        )
        report.refresh_from_db()
        transaction.on_commit(lambda: announce(report.pk))
    return report, False


def _earlier(
    reports: QuerySet[Report], idempotency_key: str | None, body: dict[str, Any]
) -> Report | None:
    """Return the report of an earlier, equal request, if any."""
    if idempotency_key is None:
        return reports.filter(status=Report.Status.QUEUED, attempts=0, **body).first()
    report = reports.filter(idempotency_key=idempotency_key).first()
    if report is not None and any(getattr(report, name) != body[name] for name in body):
        raise IdempotencyKeyReused()
    return report


def _check_limits(reports: QuerySet[Report]) -> None:
    unfinished = reports.exclude(status__in=[Report.Status.SENT, Report.Status.FAILED])
    if len(unfinished.values_list("pk")[:UNFINISHED_MAX]) >= UNFINISHED_MAX:
        raise TooManyReports()
    hour_ago = timezone.now() - QUOTA_WINDOW
    recent = reports.filter(created_at__gt=hour_ago).order_by("-created_at", "-pk")
    if count := QUOTA_REPORTS_PER_HOUR.value:
        # The account may request again when this report is an hour old.
        oldest = recent.values_list("created_at", flat=True)[count - 1 : count].first()
        if oldest is not None:
            raise ReportQuotaUsedUp(f"{count} reports", _seconds(oldest - hour_ago))
    if pages := QUOTA_REPORT_PAGES_PER_HOUR.value:
        newest_first = Window(Sum("pages"), order_by=[F("created_at").desc(), F("pk").desc()])
        over = recent.annotate(total=newest_first).filter(total__gte=pages)
        if (oldest := over.values_list("created_at", flat=True).first()) is not None:
            raise ReportQuotaUsedUp(f"{pages} pages", _seconds(oldest - hour_ago))


def _seconds(wait: timedelta) -> int:
    return max(1, math.ceil(wait.total_seconds()))
