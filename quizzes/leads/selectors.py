"""Leads, for the people of their company."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet, TextChoices

from documents.models import Document
from quizzes.companies.models import Company
from quizzes.leads import papers
from quizzes.leads.models import Consent, Lead, LeadMail, LeadResult
from quizzes.leads.sealing import known_index, normalized, opened
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.times import iso

STATES = (Lead.State.NEW, Lead.State.CONFIRMED, Lead.State.WITHDRAWN)


def leads_of(company: Company, *, state: str = "", email: str = "") -> QuerySet[Lead]:
    """Return the leads of a company that are not erased.

    ``email`` is a whole address, because no index knows parts of one. Raise ``ValidationFailed``
    for an unknown state.
    """
    found = Lead.objects.filter(company=company).exclude(state=Lead.State.ERASED)
    if state:
        if state not in STATES:
            detail = f"Give one of {', '.join(STATES)}."
            raise ValidationFailed([FieldError("invalid_choice", detail, "state")])
        found = found.filter(state=state)
    if email:
        found = with_address(found, company.pk, email)
    return found


def with_address(leads: QuerySet[Lead], company: UUID, email: str) -> QuerySet[Lead]:
    """Return those of a company's leads that have this address: one, or none."""
    try:
        index = known_index(company, normalized(email))
    except ValidationError:
        index = None
    return leads.none() if index is None else leads.filter(email_index=index)


def lead_of(company: Company, id: str) -> Lead:
    """Return a lead of the company. Raise ``NotFound``, also where it is erased."""
    try:
        found = leads_of(company).filter(pk=UUID(id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound()
    return found


def results_of(lead: Lead) -> list[LeadResult]:
    """Return what a lead left its address for, newest first."""
    rows = LeadResult.objects.filter(lead=lead).select_related("result__quiz")
    return list(rows.order_by("-given_at", "-pk"))


def consents_of(lead: Lead) -> list[Consent]:
    """Return what a lead consented to, in the order of time."""
    return list(Consent.objects.filter(lead=lead).select_related("text"))


class MailState(TextChoices):
    """What is known of a mail. ``UNKNOWN``: it may have been sent, so it is not sent again."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail to a lead: ``kind`` is ``confirm`` or ``result``."""

    kind: str
    result: UUID
    state: MailState
    created_at: datetime
    sent_at: datetime | None


_KINDS = {papers.CONFIRM: "confirm", papers.MAIL: "result"}


def mails_of(lead: Lead) -> list[Mailed]:
    """Return the mails to a lead, newest first."""
    rows = list(LeadMail.objects.filter(lead=lead, kind__in=_KINDS).order_by("-created_at", "-pk"))
    documents = Document.objects.in_bulk([row.document for row in rows])
    return [
        Mailed(
            kind=_KINDS[row.kind],
            result=row.result_id,
            state=_state(document),
            created_at=row.created_at,
            sent_at=document.emailed_at,
        )
        for row in rows
        if (document := documents.get(row.document))
    ]


def _state(document: Document) -> MailState:
    if document.status == Document.Status.SENT:
        return MailState.SENT
    if document.status != Document.Status.FAILED:
        return MailState.WAITING
    # A mail that failed while it was sent keeps the claim of its worker.
    return MailState.FAILED if document.claim is None else MailState.UNKNOWN


def lead_data(lead: Lead) -> dict[str, Any]:
    """Return a lead in JSON's types. Raise ``Unsealable``."""
    email, name = opened(lead)
    return {
        "id": str(lead.pk),
        "email": email,
        "name": name,
        "state": lead.state,
        "created_at": iso(lead.created_at),
        "confirmed_at": _iso(lead.confirmed_at),
        "withdrawn_at": _iso(lead.withdrawn_at),
    }


def lead_detail(lead: Lead) -> dict[str, Any]:
    """Return a lead with its results and consents in JSON's types."""
    return {
        **lead_data(lead),
        "results": [_result_data(contact) for contact in results_of(lead)],
        "consents": consents_data(consents_of(lead)),
        "mails": [_mail_data(each) for each in mails_of(lead)],
    }


def _result_data(contact: LeadResult) -> dict[str, Any]:
    result = contact.result
    return {
        "id": str(contact.pk),
        "quiz": result.quiz.slug,
        "quiz_id": str(result.quiz_id),
        "finished_at": iso(result.finished_at),
        "band": result.band or None,
        "outcome": result.outcome or None,
        "given_at": iso(contact.given_at),
        "confirmed_at": _iso(contact.confirmed_at),
    }


def _mail_data(mailed: Mailed) -> dict[str, Any]:
    return {
        "kind": mailed.kind,
        "result": str(mailed.result),
        "state": mailed.state.value,
        "created_at": iso(mailed.created_at),
        "sent_at": _iso(mailed.sent_at),
    }


def consents_data(consents: Sequence[Consent]) -> list[dict[str, Any]]:
    """Return consents in JSON's types, each with the literal text."""
    return [
        {
            "purpose": consent.purpose,
            "sha256": consent.text_id,
            "language": consent.text.language,
            "text": consent.text.text,
            "result": str(consent.result_id),
            "given_at": iso(consent.given_at),
            "confirmed_at": _iso(consent.confirmed_at),
            "withdrawn_at": _iso(consent.withdrawn_at),
            "holds": consent.holds,
        }
        for consent in consents
    ]


def _iso(moment: Any) -> str | None:
    return None if moment is None else iso(moment)
