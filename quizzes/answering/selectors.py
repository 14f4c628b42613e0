"""Attempts and results, for whoever has an attempt's secret."""

from typing import Any
from uuid import UUID

from quizzes.answering import hooks
from quizzes.answering.definitions import definition
from quizzes.answering.models import Attempt, Result
from quizzes.answering.representation import is_gated, result_represent
from quizzes.answering.requests import Secret
from quizzes.answering.sealed import ATTEMPT, opened
from quizzes.scoring.visibility import path
from shop.core.errors import Conflict, Forbidden, NotFound


class NotReady(Conflict):
    """What is asked for will be there later."""

    code = "not_ready"
    detail = "This is not ready yet."


class ContactRequired(Forbidden):
    """The result is shown to who leaves an address."""

    code = "contact_required"
    detail = "Leave an address first."


def attempt_get(slug: str, id: UUID, secret: Secret) -> Attempt:
    """Return the attempt that the secret opens. Raise ``NotFound`` for any other."""
    found = Attempt.objects.filter(pk=id, quiz__slug=slug, secret_sha256=secret.sha256).first()
    if found is None:
        raise NotFound()
    return found


def attempt_represent(attempt: Attempt) -> dict[str, Any]:
    """Return the state of an attempt in JSON's types, with all answers, to go on with it."""
    version = definition(attempt.version_id)
    answers = {**attempt.answers, **opened(attempt.private, attempt.pk, ATTEMPT)}
    return {
        "id": str(attempt.pk),
        "rev": attempt.rev,
        "version": version.number,
        "language": attempt.language,
        "state": attempt.state,
        "answers": answers,
        "at": attempt.at or None,
        "path_length": len(path(version.quiz, answers)),
    }


def result_of(attempt: Attempt) -> dict[str, Any]:
    """Return the result of an attempt in JSON's types.

    Raise ``NotReady`` before the attempt is finished, and ``ContactRequired``.
    """
    result = Result.objects.filter(pk=attempt.pk).first()
    if result is None:
        raise NotReady("This attempt is not finished yet.")
    version = definition(attempt.version_id)
    if is_gated(version.quiz) and not hooks.has_contact(attempt.pk):
        raise ContactRequired()
    pdf = hooks.pdf_state(attempt.pk)
    return result_represent(version.quiz, version.slug, version.number, result, pdf=pdf)
