"""The erasure of leads: what a person wrote, typed or was sent is gone, and figures stay.

The key goes, so nobody opens the columns in a backup either. Results, consents and totals keep
their rows, which name nobody.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models.functions import Now

from documents.models import Document
from documents.storage import store
from events.services import emit
from personal.journal import journal_append
from quizzes.answering.models import Attempt, Result
from quizzes.events import LEAD_ERASED, LeadMoved
from quizzes.leads import hooks
from quizzes.leads.models import Lead, LeadMail, LeadResult
from quizzes.leads.papers import paper_id

logger = structlog.get_logger(__name__)

ERASED = "lead_erased"
"""The kind of an entry of the journal."""
GONE = "The person was erased."


def erase(id: UUID) -> UUID | None:
    """Erase a lead. Return the id of the event that tells of it, ``None`` if it was erased before.

    Raise ``OSError`` where the journal cannot be written; then nothing is erased.
    """
    with transaction.atomic():
        lead = Lead.objects.select_for_update(of=("self",)).select_related("company").get(pk=id)
        if lead.state == Lead.State.ERASED:
            return None
        results = list(LeadResult.objects.filter(lead=lead).values_list("pk", flat=True))
        for model in (Result, Attempt):
            model.objects.filter(pk__in=results).exclude(private="").update(private="")
        LeadResult.objects.filter(lead=lead).update(name=None)
        documents = _documents_end(lead, results)
        Lead.objects.filter(pk=id).update(
            key="",
            email=None,
            name=None,
            email_index=os.urandom(32),
            state=Lead.State.ERASED,
            erased_at=Now(),
        )
        hooks.erased(id)
        moved = LeadMoved(company=lead.company.slug, lead=id, quiz=None, result=None)
        event = emit(LEAD_ERASED, team=lead.company.team_id, data=moved)
        # Last, so that hardly anything can prevent the commit that it tells of.
        journal_append([{"kind": ERASED, "lead": str(id)}])
        transaction.on_commit(lambda: _files_delete(documents))
    logger.info("lead.erased", lead_id=str(id))
    return event


def _documents_end(lead: Lead, results: Iterable[UUID]) -> list[UUID]:
    """Make the documents of a lead unavailable, and return their ids.

    A worker that renders one loses its claim, and stores nothing. The purge deletes what is left.
    """
    mails = LeadMail.objects.filter(lead=lead)
    ids = [*mails.values_list("document", flat=True), *map(paper_id, results)]
    mails.update(address="")
    mine = Document.objects.filter(pk__in=ids)
    done = [Document.Status.SENT, Document.Status.FAILED]
    mine.exclude(status__in=done).update(status=Document.Status.FAILED, claim=None)
    mine.exclude(error="").update(error=GONE)
    mine.exclude(file="").update(removed_at=Now())
    return ids


def _files_delete(documents: list[UUID]) -> None:
    with contextlib.suppress(OSError):
        # If the store is away, the purge does it later.
        for document in Document.objects.filter(pk__in=documents, removed_at__isnull=False):
            if document.file:
                store.delete(document.file)
                Document.objects.filter(pk=document.pk).update(file="")


def leads_erase_again(journal: Iterable[Mapping[str, Any]]) -> str:
    """Erase the leads that a restore of an older backup has brought back."""
    count = 0
    for entry in journal:
        if entry.get("kind") == ERASED:
            lead = Lead.objects.filter(pk=UUID(str(entry["lead"]))).first()
            if lead is not None and erase(lead.pk) is not None:
                count += 1
    return f"{count} leads erased again."
