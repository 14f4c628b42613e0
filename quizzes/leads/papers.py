"""The documents of leads: mails and files, rows of :mod:`documents` that no account asked for.

A result's own PDF has an id that follows from the result's, so there is one. It has no name in it,
because whoever answered may see it before the address is confirmed.
"""

from uuid import UUID, uuid5

from django.db import transaction

from documents.models import Document
from documents.upkeep import announce, document_again
from quizzes.answering.models import Result
from quizzes.leads.limits import address_of_today
from quizzes.leads.models import Lead, LeadMail, LeadResult
from quizzes.leads.tokens import Purpose, tokens_keep
from shop.core.ids import uuid7

PAPER, MAIL, CONFIRM = "quiz_paper", "quiz_mail", "quiz_confirm"
"""The names of the kinds of documents."""
_PURPOSES = {CONFIRM: (Purpose.CONFIRM, Purpose.LEAVE), MAIL: (Purpose.RESULT, Purpose.LEAVE)}


def paper_of(result: UUID) -> Document:
    """Return the row of a result's PDF, which workers render unless it is stored."""
    id = paper_id(result)
    found = Document.objects.filter(pk=id).first()
    if found is None:
        row = Document(id=id, kind=PAPER, parameters={"result": str(result)})
        Document.objects.bulk_create([row], ignore_conflicts=True)
        transaction.on_commit(lambda: announce(id))
        found = Document.objects.get(pk=id)
    elif not found.is_stored and found.status in (Document.Status.SENT, Document.Status.FAILED):
        document_again(id)
    return found


def paper_id(result: UUID) -> UUID:
    """Return the id of the row of a result's PDF.

    A respondent's device makes the id of a result, so it must not be that of a document itself.
    """
    return uuid5(result, PAPER)


def pdf_state(result: UUID) -> str:
    """Return the state of a result's PDF, ``queued`` before anybody has asked for it."""
    found = Document.objects.filter(pk=paper_id(result)).first()
    if found is None or not found.is_stored:
        failed = found is not None and found.status == Document.Status.FAILED
        return "failed" if failed else "queued"
    return "ready"


def has_contact(result: UUID) -> bool:
    """Return whether somebody left an address for a result."""
    return LeadResult.objects.filter(pk=result).exists()


def mail_queue(*, lead: Lead, result: Result, kind: str, address: str, counted: bool) -> Document:
    """Queue a mail to a lead, in the transaction that causes it, and make its links valid.

    ``counted`` is for mails that the limits count.
    """
    document = Document.objects.create(
        id=uuid7(),
        kind=kind,
        parameters={"lead": str(lead.pk), "result": str(result.pk)},
        # Nothing is rendered for a mail without a file.
        status=Document.Status.READY if kind == CONFIRM else Document.Status.QUEUED,
    )
    LeadMail.objects.create(
        document=document.pk,
        company_id=lead.company_id,
        lead=lead,
        quiz_id=result.quiz_id,
        result=result,
        kind=kind,
        counted=counted,
        address=address_of_today(address) if counted else "",
    )
    tokens_keep(lead, result.pk, document.pk, *_PURPOSES[kind])
    transaction.on_commit(lambda: announce(document.pk))
    return document
