"""The order in which workers take documents.

A Celery message only wakes a worker. The worker then takes the next document of the account with
the fewest pages rendered within the last hour. Workers render one document of an account at a time.
So an account waits for at most one document of each other account.

Documents that no account asked for are taken in the order of their age. A worker takes turns
between them and those of accounts, so neither wait for more than one of the other.
"""

import time
import uuid
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from documents import kinds
from documents.mailing import document_mail
from documents.models import Document
from documents.rendering_job import claimed, render_claimed
from documents.upkeep import documents_sweep, due
from shop.core import jobs

# The key of the advisory lock under which one worker at a time takes a document: "repo" in ASCII.
TAKE_LOCK = 0x7265706F
WORK_SECONDS = 240.0
"""A worker's task ends after about this time and queues another, well before its time limit."""

REST_SECONDS = 30.0
"""How long a worker waits before it tries an unreachable mail server or store again."""

FAIR_WINDOW = timedelta(hours=1)
"""The pages of an account within this time decide its turn."""


def work() -> None:
    """Mail and render the next documents until none is due or the time is over."""
    started = time.monotonic()
    mail_rests_until = 0.0
    of_accounts = True
    while time.monotonic() < started + WORK_SECONDS:
        if time.monotonic() >= mail_rests_until and (ready := _take_ready()):
            if not document_mail(ready):
                mail_rests_until = time.monotonic() + REST_SECONDS
            continue
        taken = take_queued(of_accounts=of_accounts)
        of_accounts = not of_accounts
        if taken is None:
            return
        if not render_claimed(*taken):
            # The store takes no files, so any further rendering would be in vain.
            return
    # The sweep queues tasks for the remaining documents, which any worker may take.
    documents_sweep()


def take_queued(*, of_accounts: bool = True) -> tuple[uuid.UUID, uuid.UUID] | None:
    """Claim the next queued document; return its id and the claim, or ``None``.

    It is one of an account or one of nobody, as ``of_accounts`` says, unless only others wait.
    """
    same = Document.objects.filter(requested_by=OuterRef("requested_by")).order_by()
    recent = same.filter(
        rendered_at__gt=Now() - FAIR_WINDOW, created_at__gt=Now() - timedelta(days=1)
    ).values("requested_by")
    queued = Document.objects.filter(due(), status=Document.Status.QUEUED, kind__in=kinds.names())
    nobodys = queued.filter(requested_by__isnull=True).order_by("created_at", "pk")
    waiting = (
        queued.filter(requested_by__isnull=False)
        .exclude(Exists(same.filter(status=Document.Status.RENDERING)))
        .annotate(
            pages_lately=Coalesce(Subquery(recent.annotate(sum=Sum("pages")).values("sum")), 0)
        )
        .order_by("pages_lately", "created_at", "pk")
    )
    claim = uuid.uuid4()
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Without the lock, two concurrent workers could take two documents of one account.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TAKE_LOCK])
        lanes = (waiting, nobodys) if of_accounts else (nobodys, waiting)
        document_id = lanes[0].values_list("pk", flat=True).first()
        if document_id is None:
            document_id = lanes[1].values_list("pk", flat=True).first()
        taken = document_id is not None and Document.objects.filter(
            pk=document_id, status=Document.Status.QUEUED
        ).update(**claimed(claim))
    return (document_id, claim) if document_id is not None and taken else None


def _take_ready() -> uuid.UUID | None:
    """Return a rendered document whose mail is due, and reserve it for this worker for a while."""
    with transaction.atomic():
        document_id = (
            Document.objects.select_for_update(skip_locked=True)
            .filter(due(), status=Document.Status.READY, kind__in=kinds.names())
            .order_by("next_attempt_at")
            .values_list("pk", flat=True)
            .first()
        )
        if document_id is not None:
            Document.objects.filter(pk=document_id).update(
                next_attempt_at=jobs.from_now(settings.DOCUMENT_CLAIM_SECONDS)
            )
    return document_id
