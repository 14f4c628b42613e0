"""What the plain form sends: the whole quiz at once, from a browser without JavaScript.

It ends at the services of the API. The form has a signed id and secret, so sending it twice is the
same attempt.
"""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from django.core import signing
from django.http import HttpRequest

from quizzes.answering import hooks
from quizzes.answering.definitions import Definition
from quizzes.answering.errors import AlreadyFinished, RevisionConflict, StaleRevision, refused
from quizzes.answering.finishing import attempts_finish
from quizzes.answering.models import Result
from quizzes.answering.representation import result_represent, without_content
from quizzes.answering.requests import (
    MAX_BYTES,
    SECRET_BYTES,
    Finish,
    SaveBody,
    Secret,
    save_of,
    secret_of,
)
from quizzes.answering.saving import attempts_save
from quizzes.answering.selectors import ContactRequired, attempt_get, result_of
from quizzes.definition.problems import Invalid
from quizzes.definition.structs import Asked, Multiple, NumberQuestion, Quiz
from quizzes.leads.errors import NotFinished
from quizzes.leads.respondents import masked
from quizzes.leads.services import contact_check, contact_give
from quizzes.scoring.answers import validate
from shop.core.admission import address_holder
from shop.core.errors import ApplicationError, PayloadTooLarge

PREFIX = "a."
"""What the names of the questions' fields begin with."""
MAX_FIELDS = 2000
GOOD_FOR = 7 * 24 * 3600
_SALT = "quizzes.player"
TOKEN = "attempt"  # noqa: S105 - the name of a field

Fields = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Ticket:
    """The attempt that a form is about."""

    id: UUID
    secret: Secret
    version: int


def ticket_new(id: UUID, version: int) -> str:
    """Return the ticket of a new form."""
    secret = urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    return signing.dumps([str(id), secret, version], salt=_SALT)


def ticket_read(text: str) -> Ticket | None:
    """Return the attempt of a form; ``None`` for an old or forged ticket."""
    try:
        id, secret, version = signing.loads(text, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    return Ticket(UUID(id), secret_of(f"Attempt {secret}"), version)


def ticket_sent(request: HttpRequest) -> Ticket | None:
    """Return the attempt of the form that a request sends. Raise ``ApplicationError``."""
    return ticket_read(fields_sent(request).get(TOKEN, [""])[0])


def fields_sent(request: HttpRequest) -> Fields:
    """Return the fields of a form. Raise ``PayloadTooLarge`` or ``ApplicationError``."""
    # Django's own reader has a limit of fields that is right for other forms.
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        raise PayloadTooLarge()
    try:
        text = request.body.decode()
        return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise ApplicationError(code="bad_request") from None


def answers_in(quiz: Quiz, fields: Fields) -> dict[str, Any]:
    """Return the answers in a form, as people write them: ``3,5`` is a number, too."""
    answers: dict[str, Any] = {}
    for question in quiz.questions:
        sent = [value for value in fields.get(PREFIX + question.key, ()) if value.strip()]
        if not sent or not isinstance(question, Asked):
            continue
        value: Any = sent if isinstance(question, Multiple) else sent[0]
        if isinstance(question, NumberQuestion):
            value = "".join(value.split()).replace(",", ".", 1).replace("−", "-")
        answers[question.key] = value
    return answers


def answers_finish(
    request: HttpRequest, version: Definition, ticket: Ticket, language: str, answers: Any
) -> dict[str, Any]:
    """Save the answers as an attempt, finish it, and return its result in JSON's types.

    Raise ``ValidationFailed`` with all that is wrong, or another ``ApplicationError``.
    """
    try:
        answers = validate(version.quiz, answers, complete=True)
    except Invalid as invalid:
        raise refused(invalid.errors) from None
    rev = 1
    try:
        _save(request, version, ticket, SaveBody(rev, version.number, language, answers))
    except (StaleRevision, RevisionConflict):
        # The same form was sent before, with other answers, and something went wrong after that.
        rev = attempt_get(version.slug, ticket.id, ticket.secret).rev + 1
        _save(request, version, ticket, SaveBody(rev, version.number, language, answers))
    except AlreadyFinished:
        pass
    _admit(request, version, ticket, "finish")
    (found,) = attempts_finish(
        [Finish(ticket.id, version.quiz_id, ticket.secret, rev, dict(answers))]
    )
    if isinstance(found, AlreadyFinished):
        return result_of(attempt_get(version.slug, ticket.id, ticket.secret))
    if isinstance(found, ApplicationError):
        raise found
    return dict(msgspec.json.decode(found.body))


def contact_sent(request: HttpRequest, version: Definition, ticket: Ticket, sent: Fields) -> str:
    """Keep the address of a form with the result of its attempt. Return the address, masked.

    Raise ``ValidationFailed``, or another ``ApplicationError``.
    """
    attempt = attempt_get(version.slug, ticket.id, ticket.secret)
    result = Result.objects.filter(pk=attempt.pk).first()
    if result is None:
        raise NotFinished()
    keys = [consent.key for consent in version.quiz.contact.consents]
    ticked = [key for key in keys if f"consent.{key}" in sent]
    given = contact_check(
        result,
        email=sent["email"][0],
        name=sent.get("name", [""])[0],
        consents=dict.fromkeys(ticked, True),
        texts={key: sent.get(f"text.{key}", [""])[0] for key in ticked},
    )
    _admit(request, version, ticket, "contact")
    if not sent.get("website", [""])[0] and not result.test:
        contact_give(result=result, given=given)
    return masked(given.address)


def result_told(version: Definition, ticket: Ticket) -> dict[str, Any]:
    """Return the result of a form's attempt; without its content until there is an address.

    Raise another ``ApplicationError``.
    """
    attempt = attempt_get(version.slug, ticket.id, ticket.secret)
    try:
        return result_of(attempt)
    except ContactRequired:
        result = Result.objects.get(pk=attempt.pk)
        shown = result_represent(version.quiz, version.slug, version.number, result)
        return without_content(shown)


def _save(request: HttpRequest, version: Definition, ticket: Ticket, body: SaveBody) -> None:
    _admit(request, version, ticket, "save")
    (saved,) = attempts_save([save_of(ticket.id, ticket.secret, body, version)])
    if isinstance(saved, ApplicationError):
        raise saved


def _admit(request: HttpRequest, version: Definition, ticket: Ticket, action: Any) -> None:
    network = address_holder(request.META.get("REMOTE_ADDR", ""))
    hooks.admit(hooks.Facts(action, version.slug, version.quiz_id, ticket.id, network))
