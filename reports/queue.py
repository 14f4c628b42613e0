"""The order in which workers take reports, and the upkeep of what they leave.

A Celery message only wakes a worker, which then takes whichever report is next: one of the account
that had the fewest pages rendered within the hour. An account has one report rendered at a time. So
neither many nor long reports of one account keep another's waiting for more than one of them.
"""

import time
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Coalesce, Now

from reports.clock import due, from_now, stale
from reports.mailing import UNKNOWN_OUTCOME, report_mail
from reports.models import Report
from reports.rendering_job import claimed, render_claimed
from reports.services import QUOTA_WINDOW, announce

logger = structlog.get_logger(__name__)

# The key of the advisory lock under which one worker at a time takes a report: "repo" in ASCII.
TAKE_LOCK = 0x7265706F
WORK_SECONDS = 240.0
"""A worker's task ends after about this long and asks for another, well before its time limit."""

HINTS = 8
"""Messages that one sweep sends: enough to wake the workers, too few to pile up."""

MAIL_REST_SECONDS = 30.0
"""How long a worker leaves a mail server alone that it could not reach, and renders instead."""

ROWS_KEPT = timedelta(days=365)
"""How long a report stays in the list after its PDF was removed."""

_BATCH = 500


def work() -> None:
    """Mail and render what is next until nothing is due or the time is over."""
    started = time.monotonic()
    mail_rests_until = 0.0
    while time.monotonic() < started + WORK_SECONDS:
        if time.monotonic() >= mail_rests_until and (ready := _take_ready()):
            if not report_mail(ready):
                mail_rests_until = time.monotonic() + MAIL_REST_SECONDS
            continue
        taken = _take_queued()
        if taken is None:
            return
        render_claimed(*taken)
    # What is left is for other tasks, which any worker may take.
    reports_sweep()


def _take_queued() -> tuple[uuid.UUID, uuid.UUID] | None:
    """Claim the queued report that is next; return its id and the claim."""
    same = Report.objects.filter(requested_by=OuterRef("requested_by")).order_by()
    recent = same.filter(
        rendered_at__gt=Now() - QUOTA_WINDOW, created_at__gt=Now() - timedelta(days=1)
    ).values("requested_by")
    waiting = (
        Report.objects.filter(due(), status=Report.Status.QUEUED)
        .exclude(Exists(same.filter(status=Report.Status.RENDERING)))
        .annotate(
            pages_lately=Coalesce(Subquery(recent.annotate(sum=Sum("pages")).values("sum")), 0)
        )
        .order_by("pages_lately", "created_at", "pk")
    )
    claim = uuid.uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two workers that look at once would take two reports of one account.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TAKE_LOCK])
        report_id = waiting.values_list("pk", flat=True).first()
        taken = report_id is not None and Report.objects.filter(
            pk=report_id, status=Report.Status.QUEUED
        ).update(**claimed(claim))
    return (report_id, claim) if report_id is not None and taken else None


def _take_ready() -> uuid.UUID | None:
    """Return a rendered report whose mail is due, and keep other workers from it for a while."""
    with transaction.atomic():
        report_id = (
            Report.objects.select_for_update(skip_locked=True)
            .filter(due(), status=Report.Status.READY)
            .order_by("next_attempt_at")
            .values_list("pk", flat=True)
            .first()
        )
        if report_id is not None:
            Report.objects.filter(pk=report_id).update(
                next_attempt_at=from_now(settings.REPORTS_CLAIM_SECONDS)
            )
    return report_id


# --- upkeep -----------------------------------------------------------------------------------


def reports_sweep() -> int:
    """Give up on dead workers and wake others if reports are due; return how many are."""
    abandoned = Report.objects.filter(
        stale(settings.REPORTS_CLAIM_SECONDS), status=Report.Status.RENDERING
    )
    abandoned.filter(attempts__gte=settings.REPORTS_RENDER_ATTEMPTS).update(
        status=Report.Status.FAILED,
        claim=None,
        error="Rendering was interrupted too often.",
    )
    abandoned.update(status=Report.Status.QUEUED, claim=None, next_attempt_at=Now())
    Report.objects.filter(
        stale(settings.REPORTS_SENDING_SECONDS), status=Report.Status.SENDING
    ).update(status=Report.Status.FAILED, error=UNKNOWN_OUTCOME)
    waited = Q(created_at__lt=from_now(-settings.REPORTS_SWEEP_SECONDS)) | Q(created_at__gt=Now())
    waiting = Report.objects.filter(
        due(), Q(waited, status=Report.Status.QUEUED) | Q(status=Report.Status.READY)
    ).order_by("next_attempt_at")
    ids = list(waiting.values_list("pk", flat=True)[:_BATCH])
    for report_id in ids[:HINTS]:
        if not announce(report_id, expires=60):
            break
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
        count = failed.filter(Q(rendered_at=None) | Q(removed_at__isnull=False)).update(
            status=Report.Status.QUEUED, rendered_at=None, removed_at=None, **again
        )
        count += failed.update(status=Report.Status.READY, **again)
    for report_id in list(ids)[:HINTS]:
        if not announce(report_id):
            break
    return count


def reports_purge() -> dict[str, int]:
    """Remove PDFs past their time and those over an account's space, oldest first.

    Reports stay in the list for a year more. Return how many PDFs and how many reports went.
    """
    done = Report.objects.filter(status__in=[Report.Status.SENT, Report.Status.FAILED])
    stored = done.exclude(pdf="")
    kept = timedelta(days=settings.REPORTS_KEEP_DAYS)
    removed = _remove(stored.filter(rendered_at__lt=Now() - kept))
    space = settings.REPORTS_MEGABYTES_PER_ACCOUNT * 1_000_000
    over = (
        stored.values("requested_by")
        .annotate(files=Count("pk"), bytes=Sum("size"))
        .filter(bytes__gt=space)
        .values_list("requested_by", flat=True)
    )
    for account in over:
        newest_first = Window(Sum("size"), order_by=[F("created_at").desc(), F("pk").desc()])
        of_account = stored.filter(requested_by=account).annotate(used=newest_first)
        removed += _remove(of_account.filter(used__gt=space))
    old = done.filter(pdf="", created_at__lt=Now() - kept - ROWS_KEPT)
    deleted = 0
    while keys := list(old.values_list("pk", flat=True)[:_BATCH]):
        deleted += Report.objects.filter(pk__in=keys).delete()[0]
    return {"pdfs": removed, "reports": deleted}


def _remove(reports: QuerySet[Report]) -> int:
    removed = 0
    while rows := list(reports.order_by().values_list("pk", "pdf")[:_BATCH]):
        for _, name in rows:
            default_storage.delete(name)
        # The row forgets its file last: what is interrupted here is done again.
        keys = [key for key, _ in rows]
        removed += Report.objects.filter(pk__in=keys).update(pdf="", removed_at=Now())
    return removed
