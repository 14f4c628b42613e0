"""The results of a quiz, for its company."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from quizzes.answering import hooks
from quizzes.answering.definitions import definition
from quizzes.answering.models import Result
from quizzes.answering.representation import result_represent
from quizzes.authoring.models import Quiz
from quizzes.definition.numbers import plain
from quizzes.scoring.result import rounded
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.times import given_moment, iso

FILTERS = ("version", "outcome", "band", "since", "until")


def results_of(quiz: Quiz, query: Mapping[str, str]) -> QuerySet[Result]:
    """Return the results of a quiz, without previews. Raise ``ValidationFailed`` for a filter."""
    found = Result.objects.filter(quiz=quiz, test=False).select_related("version")
    found = found.defer("version__definition", "private")
    if number := query.get("version", ""):
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise _unfit("version", "Give the number of a version.")
        found = found.filter(version__number=int(number))
    for name in ("outcome", "band"):
        if key := query.get(name, ""):
            if len(key) > 40 or "\0" in key:
                raise _unfit(name, "Give a key.")
            found = found.filter(**{name: key})
    if since := moment_in(query, "since"):
        found = found.filter(finished_at__gte=since)
    if until := moment_in(query, "until"):
        found = found.filter(finished_at__lte=until)
    return found


def moment_in(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a moment of a query; of a day the first, or for ``until`` the last.

    Raise ``ValidationFailed``.
    """
    text = query.get(name, "")
    if not text:
        return None
    try:
        return given_moment(text, is_end=name == "until")
    except ValueError:
        raise _unfit(name, "Give a day as 2026-05-31, or a time with an offset.") from None


def _unfit(name: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("invalid", detail, name)])


def result_at(quiz: Quiz, id: str | UUID) -> Result:
    """Return one result of a quiz. Raise ``NotFound``."""
    try:
        key = UUID(str(id))
    except ValueError:
        raise NotFound() from None
    found = Result.objects.filter(quiz=quiz, pk=key).select_related("version").first()
    if found is None:
        raise NotFound()
    return found


def row_data(result: Result) -> dict[str, Any]:
    """Return a result as a list shows it."""
    return {
        "id": str(result.attempt_id),
        "version": result.version.number,
        "language": result.language,
        "finished_at": iso(result.finished_at),
        "points": plain(result.points),
        "max": plain(result.max),
        "percent": rounded(result.percent),
        "band": result.band or None,
        "outcome": result.outcome or None,
        "late": result.late,
        "suspect": result.suspect,
    }


def result_data(result: Result, language: str = "") -> dict[str, Any]:
    """Return a result with its answers, as its respondent sees it."""
    version = definition(result.version_id)
    pdf = hooks.pdf_state(result.attempt_id)
    shown = result_represent(
        version.quiz, version.slug, version.number, result, pdf=pdf, language=language
    )
    return {**shown, "suspect": result.suspect}
