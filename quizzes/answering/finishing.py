"""Finishing attempts: result, event and count in one transaction, once for each attempt."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import structlog
from django.db import DatabaseError, connection, transaction

from events.services import emit_all
from quizzes.answering import hooks
from quizzes.answering.definitions import Definition, definition
from quizzes.answering.errors import (
    AlreadyFinished,
    QuizClosed,
    RevisionConflict,
    StaleRevision,
    refused,
)
from quizzes.answering.models import Result
from quizzes.answering.representation import (
    is_gated,
    kept_categories,
    result_represent,
    without_content,
)
from quizzes.answering.requests import Finish
from quizzes.answering.saving import IS_OPEN, MAY_GO_ON
from quizzes.answering.sealed import ATTEMPT, RESULT, opened, sealed
from quizzes.definition.numbers import plain
from quizzes.definition.problems import Invalid
from quizzes.definition.structs import Quiz, TextQuestion
from quizzes.events import QUIZ_FINISHED, QuizFinished
from quizzes.scoring.answers import validate, without_texts
from quizzes.scoring.points import is_correct
from quizzes.scoring.result import rounded, score, stored
from shop.core.errors import ApplicationError, NotFound, ServerError, unavailable
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

SUSPECT_SECONDS = 0.5
"""Nobody reads and answers a question in less time."""
LATE_SECONDS = 10
"""What a time limit leaves for the way of the answers."""

_LOCK = f"""
SELECT a.id, a.quiz_id, a.version_id, a.secret_sha256, a.rev, a.language, a.answers, a.private,
       a.times, a.state, a.test, a.started_at, now(), {IS_OPEN}, {MAY_GO_ON},
       c.team_id
  FROM quizzes_attempt AS a JOIN quizzes_quiz AS q ON q.id = a.quiz_id
  JOIN quizzes_company AS c ON c.id = q.company_id
 WHERE a.id = ANY(%s) ORDER BY a.id FOR UPDATE OF a
"""  # noqa: S608
_END = """
UPDATE quizzes_attempt AS a
   SET state = 'finished', rev = t.rev, answers = t.answers, private = t.private,
       written = t.written, suspect = t.suspect, saved_at = now()
  FROM json_to_recordset(%s::json) AS t
       (id uuid, rev int, answers jsonb, private text, written text[], suspect boolean)
 WHERE a.id = t.id
"""
_COLUMNS = tuple(field.attname for field in Result._meta.concrete_fields)
# PostgreSQL takes the types from the table. Django would write each value of each row by itself.
_RESULTS = f"""
INSERT INTO quizzes_result ({", ".join(_COLUMNS)})
SELECT {", ".join(_COLUMNS)} FROM json_populate_recordset(NULL::quizzes_result, %s::json)
"""  # noqa: S608
# The counter is the limit, so those who come at once cannot pass it together.
_COUNT = """
UPDATE quizzes_quiz SET finished = finished + %s
 WHERE id = %s AND (max_results IS NULL OR finished + %s <= max_results)
"""


class _Full(Exception):
    """The quiz has all the results that it takes."""


class _Row(NamedTuple):
    """An attempt that this transaction has locked."""

    id: UUID
    quiz_id: UUID
    version_id: int
    secret: bytes
    rev: int
    language: str
    answers: Any
    private: str
    times: Any
    state: str
    test: bool
    started_at: datetime
    now: datetime
    is_open: bool
    may_go_on: bool
    team: UUID | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of an attempt as JSON; ``replayed`` if it was there before."""

    body: bytes
    replayed: bool


Outcome = Finished | ApplicationError


class _New(NamedTuple):
    """A result to write, and what its attempt ends with."""

    result: Result
    version: Definition
    end: dict[str, Any]
    team: UUID | None


def attempts_finish(finishes: Sequence[Finish]) -> list[Outcome]:
    """Finish attempts in one transaction; return the outcome of each.

    When this returns, each result is committed, unless the caller holds a transaction open.
    """
    try:
        with transaction.atomic():
            return _finish(finishes)
    except _Full:
        if len(finishes) > 1:
            return [attempts_finish([one])[0] for one in finishes]
        return [QuizClosed()]
    except DatabaseError as error:
        if is_outage(error):
            return [unavailable(error)] * len(finishes)
        if len(finishes) > 1:
            # One that PostgreSQL refuses must not fail the others.
            return [attempts_finish([one])[0] for one in finishes]
        logger.exception("attempt.finish_failed", attempt=str(finishes[0].id))
        return [ServerError()]


def _finish(finishes: Sequence[Finish]) -> list[Outcome]:
    rows = _locked({finish.id for finish in finishes})
    results: dict[UUID, Result] = Result.objects.in_bulk(
        [row.id for row in rows.values() if row.state == "finished"]
    )
    new: dict[UUID, _New] = {}
    outcomes: list[Outcome] = []
    for finish in finishes:
        try:
            outcomes.append(_outcome(finish, rows.get(finish.id), results, new))
        except Invalid as invalid:
            outcomes.append(refused(invalid.errors))
        except ApplicationError as error:
            outcomes.append(error)
    if new:
        _write(list(new.values()))
    return outcomes


def _locked(ids: set[UUID]) -> dict[UUID, _Row]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [list(ids)])
        rows = [_Row(*row) for row in cursor.fetchall()]
    # A cursor of Django gives jsonb as text.
    rows = [row._replace(answers=_decoded(row.answers), times=_decoded(row.times)) for row in rows]
    return {row.id: row for row in rows}


def _decoded(text: str) -> Any:
    return msgspec.json.decode(text)


def _outcome(
    finish: Finish, row: _Row | None, results: dict[UUID, Result], new: dict[UUID, _New]
) -> Outcome:
    if row is None or bytes(row.secret) != finish.secret.sha256 or row.quiz_id != finish.quiz_id:
        raise NotFound()
    version = definition(row.version_id)
    result = results.get(row.id)
    if result is not None:
        return Finished(_again(finish, version, result), True)
    if not row.may_go_on:
        raise QuizClosed()
    if finish.rev < row.rev:
        raise StaleRevision(f"This attempt is saved with rev {row.rev} already.")
    answers = validate(version.quiz, finish.answers, complete=True)
    kept, texts = without_texts(version.quiz, answers)
    if finish.rev == row.rev and (kept, texts) != (row.answers, _texts(row)):
        raise RevisionConflict()
    made = _made(row, version, answers, finish)
    new[row.id] = made
    results[row.id] = made.result
    return Finished(_body(version, made.result), False)


def _again(finish: Finish, version: Definition, result: Result) -> bytes:
    """Return the result once more, to who sends the same answers."""
    try:
        answers = validate(version.quiz, finish.answers, complete=True)
    except Invalid:
        raise AlreadyFinished() from None
    if finish.secret.digest_of(answers) != bytes(result.digest):
        raise AlreadyFinished()
    return _body(version, result)


def _texts(row: _Row) -> dict[str, str]:
    return opened(row.private, row.id, ATTEMPT)


def _made(row: _Row, version: Definition, answers: Mapping[str, Any], finish: Finish) -> _New:
    """Return the result of valid answers."""
    quiz = version.quiz
    kept, texts = without_texts(quiz, answers)
    found = score(quiz, answers)
    on_path = {key: texts[key] for key in found.path if key in texts}
    suspect = _is_suspect(row, len(found.answers))
    result = Result(
        attempt_id=row.id,
        quiz_id=row.quiz_id,
        version_id=row.version_id,
        language=row.language,
        digest=finish.secret.digest_of(answers),
        points=found.points,
        max=found.max,
        percent=stored(found.percent),
        band=found.band or "",
        outcome=found.outcome or "",
        tied=found.tied_with,
        categories=kept_categories(found.categories),
        answers=marked(quiz, found.answers),
        private=sealed(on_path, row.id, RESULT),
        path=found.path,
        late=_is_late(row, quiz),
        test=row.test,
        suspect=suspect,
        finished_at=row.now,
    )
    end = {
        "id": row.id,
        "rev": finish.rev,
        "answers": kept,
        "private": sealed(texts, row.id, ATTEMPT),
        "written": [*texts],
        "suspect": suspect,
    }
    return _New(result, version, end, row.team)


def marked(quiz: Quiz, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers as a result keeps them: of a text, only whether it is right.

    It is null for a question without a right answer. So a result can be reckoned again after the
    text was erased.
    """
    texts = {one.key: one for one in quiz.questions if isinstance(one, TextQuestion)}
    return {
        key: is_correct(texts[key], value) if key in texts else value
        for key, value in answers.items()
    }


def _is_suspect(row: _Row, answered: int) -> bool:
    # What was answered offline comes at once, so the times of the device count, too.
    spent = max((row.now - row.started_at).total_seconds(), sum(row.times.values()) / 1000)
    return spent < SUSPECT_SECONDS * answered


def _is_late(row: _Row, quiz: Quiz) -> bool:
    limit = quiz.settings.time_limit
    spent = (row.now - row.started_at).total_seconds()
    return not row.is_open or (limit is not None and spent > limit + LATE_SECONDS)


def _body(version: Definition, result: Result) -> bytes:
    """Return the answer to a finish. It says the same each time, whatever came after it."""
    represented = result_represent(version.quiz, version.slug, version.number, result)
    if is_gated(version.quiz):
        represented = without_content(represented)
    return msgspec.json.encode(represented)


def _write(new: Sequence[_New]) -> None:
    """Write results, and everything that belongs to them. Raise ``_Full``."""
    with connection.cursor() as cursor:
        cursor.execute(_RESULTS, [_json([_row_of(one.result) for one in new])])
        cursor.execute(_END, [_json([one.end for one in new])])
        counts = Counter(one.result.quiz_id for one in new if not one.result.test)
        # In one order, so that two transactions with several quizzes do not wait for each other.
        for quiz, count in sorted(counts.items()):
            cursor.execute(_COUNT, [count, quiz, count])
            if not cursor.rowcount:
                raise _Full
    counted = [one for one in new if not one.result.test]
    if counted:
        emit_all(QUIZ_FINISHED, [(one.team, _event(one)) for one in counted])
    hooks.finished([one.result for one in new])


def _row_of(result: Result) -> dict[str, Any]:
    """Return a result as the columns of its row."""
    row = {name: getattr(result, name) for name in _COLUMNS}
    return row | {"digest": f"\\x{result.digest.hex()}"}


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()


def _event(new: _New) -> QuizFinished:
    result, version = new.result, new.version
    percent = rounded(result.percent)
    return QuizFinished(
        company=version.company,
        quiz=result.quiz_id,
        slug=version.slug,
        version=version.number,
        result=result.attempt_id,
        points=Decimal(plain(result.points)),
        max=Decimal(plain(result.max)),
        percent=None if percent is None else Decimal(percent),
        band=result.band,
        outcome=result.outcome,
    )
