"""Upkeep: documents of dead workers, documents whose message was lost, and old files."""

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import Now

from documents import kinds
from documents.mailing import UNKNOWN_OUTCOME
from documents.models import Document
from documents.site_settings import REPORTS_MEGABYTES_PER_ACCOUNT
from documents.storage import store
from shop.celery import hint
from shop.core import jobs

HINTS = 8
"""Messages of one sweep: enough to wake the workers, too few to pile up."""

ROWS_KEPT = timedelta(days=365)
"""How long a document stays in the list after its file was removed."""

_BATCH = 500


def announce(document_id: uuid.UUID, *, expires: float | None = None) -> bool:
    """Send workers the hint that a document waits; return whether the broker took the message.

    The worker takes the next document, which may be another one.
    """
    return hint("reports.deliver", expires=expires, report_id=str(document_id))


def due() -> Q:
    """Return the condition for documents whose next attempt is due."""
    return jobs.due(
        max(
            jobs.LONGEST_DELAY_SECONDS,
            settings.DOCUMENT_CLAIM_SECONDS,
            settings.DOCUMENT_RETRY_SECONDS,
        )
    )


def documents_sweep() -> int:
    """Release dead workers' claims, and wake workers for due documents; return their number."""
    abandoned = Document.objects.filter(
        jobs.stale(settings.DOCUMENT_CLAIM_SECONDS), status=Document.Status.RENDERING
    )
    abandoned.filter(attempts__gte=settings.DOCUMENT_RENDER_ATTEMPTS).update(
        status=Document.Status.FAILED,
        claim=None,
        error="Rendering was interrupted too often.",
    )
    abandoned.update(status=Document.Status.QUEUED, claim=None, next_attempt_at=Now())
    Document.objects.filter(
        jobs.stale(settings.DOCUMENT_SENDING_SECONDS), status=Document.Status.SENDING
    ).update(status=Document.Status.FAILED, error=UNKNOWN_OUTCOME)
    young = jobs.from_now(-settings.DOCUMENT_SWEEP_SECONDS)
    waited = Q(created_at__lt=young) | Q(created_at__gt=Now())
    waiting = Document.objects.filter(
        due(),
        Q(waited, status=Document.Status.QUEUED) | Q(status=Document.Status.READY),
        kind__in=kinds.names(),
    ).order_by("next_attempt_at")
    ids = list(waiting.values_list("pk", flat=True)[:_BATCH])
    for document_id in ids[:HINTS]:
        if not announce(document_id, expires=60):
            break
    return len(ids)


def documents_requeue(ids: Collection[uuid.UUID]) -> int:
    """Queue failed documents again that were certainly not mailed; return their number."""
    again: dict[str, Any] = {
        "attempts": 0,
        "mail_attempts": 0,
        "error": "",
        "next_attempt_at": Now(),
    }
    failed = Document.objects.filter(
        pk__in=ids, status=Document.Status.FAILED, claim=None, emailed_at=None
    )
    with transaction.atomic():
        count = failed.filter(Q(rendered_at=None) | Q(removed_at__isnull=False)).update(
            status=Document.Status.QUEUED, rendered_at=None, removed_at=None, **again
        )
        count += failed.update(status=Document.Status.READY, **again)
    for document_id in list(ids)[:HINTS]:
        if not announce(document_id):
            break
    return count


def document_again(id: uuid.UUID) -> None:
    """Let workers render a finished file again, because it was lost, removed or not rendered."""
    again = {
        "status": Document.Status.QUEUED,
        "file": "",
        "rendered_at": None,
        "removed_at": None,
        "claim": None,
        "attempts": 0,
        "error": "",
        "next_attempt_at": Now(),
    }
    done = Document.objects.filter(pk=id, status__in=[Document.Status.SENT, Document.Status.FAILED])
    if done.update(**again):
        announce(id)


def documents_purge() -> dict[str, int]:
    """Remove files past their time and those over an account's space, oldest first.

    Rows stay for a year longer. Return the numbers of removed files and rows.
    """
    done = Document.objects.filter(status__in=[Document.Status.SENT, Document.Status.FAILED])
    stored = done.exclude(file="")
    # The removal of these files was interrupted.
    removed = _remove(stored.filter(removed_at__isnull=False))
    deleted = 0
    for kind in kinds.kinds():
        removed += _remove(stored.filter(kind=kind.name, rendered_at__lt=Now() - kind.kept()))
        forgotten = Now() - kind.kept() - ROWS_KEPT
        deleted += _forget(done.filter(kind=kind.name, file="", created_at__lt=forgotten))
    return {"pdfs": removed + _remove_over_space(stored), "reports": deleted}


def _remove_over_space(stored: QuerySet[Document]) -> int:
    expendable = stored.filter(
        kind__in=[kind.name for kind in kinds.kinds() if kind.expendable],
        requested_by__isnull=False,
    )
    space = REPORTS_MEGABYTES_PER_ACCOUNT.value * 1_000_000
    over = (
        expendable.values("requested_by")
        .annotate(files=Count("pk"), bytes=Sum("size"))
        .filter(bytes__gt=space)
        .values_list("requested_by", flat=True)
    )
    removed = 0
    for account in over:
        newest_first = Window(Sum("size"), order_by=[F("created_at").desc(), F("pk").desc()])
        of_account = expendable.filter(requested_by=account).annotate(used=newest_first)
        removed += _remove(of_account.filter(used__gt=space))
    return removed


def _forget(documents: QuerySet[Document]) -> int:
    deleted = 0
    while keys := list(documents.values_list("pk", flat=True)[:_BATCH]):
        deleted += Document.objects.filter(pk__in=keys).delete()[0]
    return deleted


def _remove(documents: QuerySet[Document]) -> int:
    removed = 0
    while rows := list(documents.order_by().values_list("pk", "file")[:_BATCH]):
        keys = [key for key, _ in rows]
        # First the files become unavailable, then they are removed, and then the rows forget them.
        # The next run repeats an interrupted removal. A file that another process moves meanwhile
        # is removed too.
        Document.objects.filter(pk__in=keys, removed_at=None).update(removed_at=Now())
        for _, name in rows:
            store.delete(name)
        removed += Document.objects.filter(pk__in=keys).update(file="")
    return removed
