"""Asking for a run, and doing it: many short transactions, each of which is a batch."""

import time
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User
from audit.services import record
from billing.invoices.errors import AlreadyInvoiced
from billing.invoices.models import Document
from billing.paper.files import document_send
from billing.runs.batches import FAILURES_NAMED, INVOICES, Done, batch, next_groups
from billing.runs.models import Run, RunInvoice
from shop.celery import hint
from shop.core import jobs
from shop.core.errors import ApplicationError
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

TASK = "billing.run"
WORK_SECONDS = 240.0
"""A worker's task ends after about this time, and a sweep wakes another."""
SENT_AT_ONCE = 50
CONFLICTS = 20
"""Batches that lose to somebody who issues an invoice, before the run waits a little."""


def run_request(actor: User, *, until: str, issue: bool, send: bool) -> Run:
    """Keep a run, which a worker does. It needs a transaction."""
    run = Run.objects.create(requested_by=actor, until=until, issue=issue, send=issue and send)
    record(
        "run.requested",
        object=f"run:{run.pk}",
        actor_id=actor.pk,
        after={"until": until, "issue": run.issue, "send": run.send},
    )
    transaction.on_commit(lambda: hint(TASK, run_id=str(run.pk)))
    return run


def runs_sweep() -> int:
    """Wake workers for runs that nobody works on; return how many there are."""
    waiting = Run.objects.filter(jobs.due()).exclude(status=Run.Status.DONE)
    ids = list(waiting.values_list("pk", flat=True)[:10])
    for id in ids:
        if not hint(TASK, expires=60, run_id=str(id)):
            break
    return len(ids)


def run_work(id: UUID) -> None:
    """Do a run until it is done or the time is over. Of two workers one does nothing."""
    until = time.monotonic() + WORK_SECONDS
    conflicts = singly = 0
    while time.monotonic() < until:
        try:
            if not run_step(id, invoices=1 if singly else INVOICES):
                return
            singly = max(0, singly - 1)
        except AlreadyInvoiced:
            conflicts += 1
            if conflicts > CONFLICTS:
                _put_off(id)
                return
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("run.failed", run=str(id))
            if singly:
                _skip(id)
            # The invoice that fails is found one by one, and the others are issued.
            singly = max(singly, INVOICES)


def run_step(id: UUID, *, invoices: int = INVOICES) -> bool:
    """Do the next batch of a run; return whether there is more to do."""
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(skip_locked=True)
            .filter(pk=id)
            .exclude(status=Run.Status.DONE)
            .first()
        )
        if run is None:
            return False
        if run.status == Run.Status.SENDING:
            _send(run)
        else:
            _advance(run, batch(run, invoices=invoices))
        run.save()
    return run.status != Run.Status.DONE


def _advance(run: Run, done: Done) -> None:
    run.invoices += done.invoices
    run.failed += len(done.failures)
    run.failures = (run.failures + done.failures)[:FAILURES_NAMED]
    run.status = Run.Status.RUNNING
    run.attempts = 0
    if done.reached is not None:
        run.reached = done.reached
    elif run.send:
        run.status = Run.Status.SENDING
    else:
        _finish(run)


def _send(run: Run) -> None:
    waiting = RunInvoice.objects.filter(run=run, waits=True).order_by("document")
    ids = list(waiting.values_list("document", flat=True)[:SENT_AT_ONCE])
    documents = Document.objects.select_related("customer").defer("canonical").in_bulk(ids)
    for id in ids:
        try:
            # What is written for a mail that cannot be sent is taken back.
            with transaction.atomic():
                document_send(actor=run.requested_by, document=documents[id])
            run.sent += 1
        except ApplicationError as error:
            run.unsent += 1
            if len(run.failures) < FAILURES_NAMED:
                failure = {"customer": documents[id].customer_id, "code": error.errors[0].code}
                run.failures.append({**failure, "currency": documents[id].currency})
    RunInvoice.objects.filter(document__in=ids).update(waits=False)
    if not ids:
        _finish(run)


def _finish(run: Run) -> None:
    run.status = Run.Status.DONE
    run.finished_at = Now()


def _skip(id: UUID) -> None:
    """Go on after the account whose invoice fails, whatever the reason."""
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=id)
        if found := next_groups(run, 1):
            run.reached, groups = found
            failures = [
                {"customer": group.customer, "currency": group.currency, "code": "error"}
                for group in groups
            ]
            run.failed += len(failures)
            run.failures = (run.failures + failures)[:FAILURES_NAMED]
            run.save()


def _put_off(id: UUID) -> None:
    Run.objects.filter(pk=id).update(attempts=F("attempts") + 1, next_attempt_at=jobs.from_now(10))
