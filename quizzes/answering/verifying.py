"""What must hold in quizzes, for ``manage.py verify_quizzes`` and ``verify_ledger``.

Every result is reckoned again from its version and its answers.
"""

from collections.abc import Iterator
from typing import Any

from quizzes.answering.definitions import definition
from quizzes.answering.finishing import marked
from quizzes.answering.models import Result
from quizzes.answering.representation import kept_categories
from quizzes.answering.sealed import RESULT, Unsealable, opened
from quizzes.definition.structs import Quiz
from quizzes.scoring.result import SCORER, score, stored
from shop.core.ledger import LedgerCheck, Say, no_rows

_BATCH = 1000


def _scores(say: Say) -> Iterator[str]:
    count = 0
    for result in Result.objects.order_by("pk").iterator(chunk_size=_BATCH):
        count += 1
        if (fault := _fault(result)) is not None:
            yield f"{result.pk}: {fault}"
    say(f"{count} results were reckoned again")


def _fault(result: Result) -> str | None:
    """Return what is not as the version's rules have it."""
    quiz = definition(result.version_id).quiz
    found = score(quiz, result.answers)
    again = {
        "points": found.points,
        "max": found.max,
        "percent": stored(found.percent),
        "band": found.band or "",
        "outcome": found.outcome or "",
        "tied": found.tied_with,
        "categories": kept_categories(found.categories),
        "answers": found.answers,
        "path": found.path,
    }
    for name, value in again.items():
        if getattr(result, name) != value:
            return f"{name} is {getattr(result, name)!r} and not {value!r}"
    return _text_fault(quiz, result)


def _text_fault(quiz: Quiz, result: Result) -> str | None:
    """Return what is wrong with the texts that are still there."""
    if not result.private:
        return None
    try:
        texts = opened(result.private, result.pk, RESULT)
    except Unsealable as error:
        return str(error)
    marks: dict[str, Any] = marked(quiz, texts)
    if any(result.answers.get(key, ...) != mark for key, mark in marks.items()):
        return "a text is not as right as the result says"
    return None


CHECKS = (
    LedgerCheck("Every result is what its version makes of its answers.", _scores),
    no_rows(
        "Every finished attempt has its result, of the same quiz and version, and no other has.",
        """SELECT coalesce(a.id, r.attempt_id) FROM quizzes_attempt AS a
           FULL JOIN quizzes_result AS r ON r.attempt_id = a.id
           WHERE (a.state = 'finished') IS DISTINCT FROM (r.attempt_id IS NOT NULL)
              OR r.version_id <> a.version_id OR r.quiz_id <> a.quiz_id""",
    ),
    no_rows(
        "Every quiz counts the results that it has, previews left out.",
        """SELECT q.slug FROM quizzes_quiz AS q
           LEFT JOIN (SELECT quiz_id, count(*) AS n FROM quizzes_result
                       WHERE NOT test GROUP BY 1) AS r ON r.quiz_id = q.id
           WHERE q.finished <> coalesce(r.n, 0)""",
    ),
    no_rows(
        "Every version has the SHA-256 of its definition, and rules that this program knows.",
        f"""SELECT id FROM quizzes_version
           WHERE sha256 <> sha256(convert_to(definition, 'UTF8'))
              OR scorer <> {SCORER}""",  # noqa: S608
    ),
)
