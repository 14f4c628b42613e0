"""A lead's way: it leaves an address, confirms it, takes its consent back, is erased.

Whoever types an address is told nothing about it. Only the reader of its mail confirms, and only by
a POST, because programs follow every link of a mail.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models.functions import Coalesce, Now

from accounts.emails import lock_email
from events.services import emit
from events.types import EventType
from quizzes.answering.definitions import definition
from quizzes.answering.models import Result
from quizzes.authoring.models import Quiz
from quizzes.companies.models import Company
from quizzes.definition.structs import Contact
from quizzes.definition.texts import language_of, text_in
from quizzes.events import LEAD_CONFIRMED, LEAD_CREATED, LEAD_WITHDRAWN, LeadMoved
from quizzes.leads import hooks
from quizzes.leads.erasing import erase
from quizzes.leads.errors import ConsentChanged, LinkOver, NoContact
from quizzes.leads.limits import may_mail
from quizzes.leads.models import Consent, ConsentText, Lead, LeadResult
from quizzes.leads.papers import CONFIRM, MAIL, mail_queue
from quizzes.leads.sealing import closed, index_of, key_of, new_key, normalized, opened
from quizzes.leads.tokens import Purpose, token_find
from shop.core.errors import FieldError, ValidationFailed
from shop.core.ids import uuid7
from shop.core.text import printable

NAME_MAX_LENGTH = 100
State = Lead.State


@dataclass(frozen=True, slots=True)
class Given:
    """What a respondent typed and ticked, checked; ``texts`` are those of the ticked consents."""

    address: str
    name: str
    texts: Mapping[str, str]
    language: str


def consent_digest(text: str) -> str:
    """Return the digest of the literal text of a consent."""
    return hashlib.sha256(text.encode()).hexdigest()


def contact_check(
    result: Result,
    *,
    email: str,
    name: str,
    consents: Mapping[str, bool],
    texts: Mapping[str, str],
) -> Given:
    """Return what was given with a result.

    ``texts`` are digests of what the respondent saw, by the keys of the consents. Raise
    ``ValidationFailed``, ``ConsentChanged``, and ``NoContact`` where the quiz asks for none.
    """
    quiz = definition(result.version_id).quiz
    if quiz.settings.contact == "none":
        raise NoContact()
    language = language_of(result.language, quiz.languages)
    asked = {one.key: text_in(one.text, language, quiz.languages) for one in quiz.contact.consents}
    errors = [*_name_errors(quiz.contact, name)]
    for member, given in (("consents", consents), ("texts", texts)):
        errors += [
            FieldError("unknown", "The quiz asks for no such consent.", f"{member}.{key}")
            for key in given
            if key not in asked
        ]
    try:
        address = normalized(email)
    except ValidationError:
        errors.append(FieldError("invalid", "Enter a valid email address.", "email"))
    if errors:
        raise ValidationFailed(errors)
    ticked = {key: asked[key] for key, is_ticked in consents.items() if is_ticked}
    seen = {key: texts.get(key) for key in {*ticked, *texts}}
    if any(digest != consent_digest(asked[key]) for key, digest in seen.items()):
        raise ConsentChanged(attr="texts")
    return Given(address, name.strip(), ticked, language)


def _name_errors(contact: Contact, name: str) -> list[FieldError]:
    if contact.name == "none" and name:
        return [FieldError("unknown", "The quiz asks for no name.", "name")]
    if contact.name == "required" and not name.strip():
        return [FieldError("required", "Give a name.", "name")]
    if len(name) > NAME_MAX_LENGTH or not printable(name):
        detail = f"Give up to {NAME_MAX_LENGTH} printable characters."
        return [FieldError("invalid", detail, "name")]
    return []


def contact_give(*, result: Result, given: Given) -> None:
    """Keep an address with a result, and mail a link to confirm it.

    It does not tell whether the address is known, or whether a mail is sent. Until it is confirmed,
    another address may take its place.
    """
    quiz = Quiz.objects.select_related("company").get(pk=result.quiz_id)
    company = quiz.company
    index = index_of(company.pk, given.address)
    with transaction.atomic(durable=True):
        _lock_contact(result.pk)
        lock_email(given.address)
        contact = LeadResult.objects.filter(pk=result.pk).first()
        if contact is not None and contact.confirmed_at is not None:
            return
        lead, key, is_new = _lead_of(company, index, given.address)
        counted = may_mail(company=company.pk, quiz=quiz.pk, address=given.address)
        name = closed(given.name, key=key, lead_id=lead.pk, column="name") if given.name else None
        if contact is None:
            LeadResult.objects.create(result=result, lead=lead, name=name)
        else:
            LeadResult.objects.filter(pk=result.pk).update(lead=lead, name=name)
        _consents_keep(lead, result, given)
        if is_new:
            _emit(LEAD_CREATED, lead, company, quiz.pk, result.pk)
        if not counted:
            return
        # Who comes back gets what is there already. The device is shown its result as with any
        # address, or it would tell who has answered the quiz.
        earlier = _only_result(quiz, lead, result.pk)
        if earlier is None:
            _mail(lead, result, CONFIRM, given.address, counted=True)
        else:
            _mail(lead, earlier.result, MAIL, given.address, counted=True)


def _lock_contact(result: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"quizzes.contact:{result}"]
        )


def _lead_of(company: Company, index: bytes, address: str) -> tuple[Lead, bytes, bool]:
    """Return the lead with this address, locked, its key, and whether it is new."""
    same = Lead.objects.select_for_update().filter(company=company, email_index=index)
    lead = same.first()
    if lead is not None:
        Lead.objects.filter(pk=lead.pk).update(seen_at=Now())
        return lead, key_of(lead), False
    id = uuid7()
    key, sealed = new_key(id)
    lead = Lead.objects.create(
        id=id,
        company=company,
        email_index=index,
        key=sealed,
        email=closed(address, key=key, lead_id=id, column="email"),
    )
    return lead, key, True


def _only_result(quiz: Quiz, lead: Lead, result: UUID) -> LeadResult | None:
    """Return the confirmed result that the lead has, if the quiz gives one to an address."""
    if quiz.per_address != Quiz.PerAddress.ONE:
        return None
    confirmed = LeadResult.objects.filter(
        lead=lead, result__quiz=quiz, confirmed_at__isnull=False
    ).exclude(pk=result)
    return confirmed.select_related("result").first()


def _consents_keep(lead: Lead, result: Result, given: Given) -> None:
    texts = {key: consent_digest(text) for key, text in given.texts.items()}
    # What was ticked before and is not any more must not be confirmed with the rest.
    Consent.objects.filter(lead=lead, result=result, confirmed_at=None, withdrawn_at=None).exclude(
        purpose__in=[*texts]
    ).update(withdrawn_at=Now())
    ConsentText.objects.bulk_create(
        [
            ConsentText(sha256=texts[key], language=given.language, text=text)
            for key, text in given.texts.items()
        ],
        ignore_conflicts=True,
    )
    Consent.objects.bulk_create(
        [
            Consent(lead=lead, result=result, purpose=key, text_id=digest)
            for key, digest in texts.items()
        ],
        ignore_conflicts=True,
    )


def lead_confirm(token: str) -> LeadResult:
    """Confirm the address of a mail's reader with one result, once. Return the result's contact.

    Raise ``LinkOver``.
    """
    link = token_find(token, Purpose.CONFIRM)
    with transaction.atomic(durable=True):
        lead = _locked(link.lead_id)
        contact = _contact_of(lead, link.result_id)
        if contact.confirmed_at is not None:
            return contact
        quiz = Quiz.objects.select_related("company").get(pk=contact.result.quiz_id)
        earlier = _only_result(quiz, lead, contact.pk)
        if earlier is not None:
            return earlier
        address, _name = opened(lead)
        LeadResult.objects.filter(pk=contact.pk).update(confirmed_at=Now())
        Lead.objects.filter(pk=lead.pk).update(
            state=State.CONFIRMED,
            confirmed_at=Coalesce("confirmed_at", Now()),
            withdrawn_at=None,
            seen_at=Now(),
            # Both are sealed with the same key for the same column.
            **({"name": contact.name} if contact.name else {}),
        )
        Consent.objects.filter(
            lead=lead, result=contact.result, confirmed_at=None, withdrawn_at=None
        ).update(confirmed_at=Now())
        lead.refresh_from_db()
        _emit(LEAD_CONFIRMED, lead, quiz.company, quiz.pk, contact.pk)
        hooks.confirmed(lead, contact.result)
        _mail(lead, contact.result, MAIL, address, counted=False)
    return LeadResult.objects.select_related("result").get(pk=contact.pk)


def lead_withdraw(token: str) -> LeadResult:
    """Take back everything that a lead consented to. Raise ``LinkOver``."""
    link = token_find(token, Purpose.LEAVE)
    with transaction.atomic(durable=True):
        lead = _locked(link.lead_id)
        Consent.objects.filter(lead=lead, withdrawn_at=None).update(withdrawn_at=Now())
        if lead.state != State.WITHDRAWN:
            Lead.objects.filter(pk=lead.pk).update(state=State.WITHDRAWN, withdrawn_at=Now())
            quiz = Result.objects.values_list("quiz_id", flat=True).get(pk=link.result_id)
            _emit(LEAD_WITHDRAWN, lead, lead.company, quiz, link.result_id)
    return LeadResult(result=link.result, lead=lead)


def lead_leave(token: str) -> LeadResult:
    """Erase the lead whose mail has this link. Raise ``LinkOver``."""
    link = token_find(token, Purpose.LEAVE)
    erase(link.lead_id)
    return LeadResult(result=link.result, lead=link.lead)


def result_again(token: str) -> tuple[LeadResult, bool]:
    """Mail a result to its lead again, within the limits. Return whether it is mailed.

    Raise ``LinkOver``.
    """
    link = token_find(token, Purpose.RESULT)
    address, _name = _opened(Lead.objects.filter(pk=link.lead_id).first())
    with transaction.atomic(durable=True):
        lock_email(address)
        lead = _locked(link.lead_id)
        contact = _contact_of(lead, link.result_id)
        mailed = may_mail(company=lead.company_id, quiz=contact.result.quiz_id, address=address)
        if mailed:
            _mail(lead, contact.result, MAIL, address, counted=True)
    return contact, mailed


def _opened(lead: Lead | None) -> tuple[str, str]:
    if lead is None or lead.state == State.ERASED:
        raise LinkOver()
    return opened(lead)


def _locked(id: UUID) -> Lead:
    """Return a lead that is there, locked. Raise ``LinkOver``."""
    lead = Lead.objects.select_for_update(of=("self",)).select_related("company").get(pk=id)
    if lead.state == State.ERASED:
        raise LinkOver()
    return lead


def _contact_of(lead: Lead, result: UUID) -> LeadResult:
    """Return the contact of a result that is still this lead's. Raise ``LinkOver``."""
    found = LeadResult.objects.select_related("result").filter(pk=result, lead=lead).first()
    if found is None:
        raise LinkOver()
    return found


def _mail(lead: Lead, result: Result, kind: str, address: str, *, counted: bool) -> None:
    mail_queue(lead=lead, result=result, kind=kind, address=address, counted=counted)


def _emit(type: EventType, lead: Lead, company: Company, quiz: UUID, result: UUID) -> None:
    moved = LeadMoved(company=company.slug, lead=lead.pk, quiz=quiz, result=result)
    emit(type, team=company.team_id, data=moved)
