"""Saving attempts: one statement for whatever comes at once.

The statement decides everything: whether the quiz takes attempts, whether the secret is the one
that the first save brought, and whether the state is newer than what is there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import DatabaseError, connection, transaction

from quizzes.answering.errors import (
    AlreadyFinished,
    QuizChanged,
    QuizClosed,
    RevisionConflict,
    StaleRevision,
    refused,
)
from quizzes.answering.requests import Save
from quizzes.answering.sealed import ATTEMPT, sealed
from quizzes.definition.problems import Problem
from shop.core.database import is_lost
from shop.core.errors import (
    ApplicationError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    unavailable,
)
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

GRACE = "interval '24 hours'"
"""How long an attempt that was begun before its quiz was closed may go on."""

IS_OPEN = """
(q.state = 'open' AND (q.opens_at IS NULL OR q.opens_at <= now())
 AND (q.closes_at IS NULL OR q.closes_at > now()))
"""
# Whoever has a page open may begin with what was published when it was loaded.
IS_LIVE = """
(q.version = t.number OR q.arms @> json_build_array(json_build_object('version', t.number))::jsonb
 OR (q.retired ->> t.number::text)::timestamptz > now() - interval '24 hours')
"""
# A quiz that somebody closed has no time of its end, so the attempt's own beginning counts.
MAY_GO_ON = f"""
({IS_OPEN} OR CASE WHEN q.closes_at <= now() THEN now() < q.closes_at + {GRACE}
                   ELSE a.started_at > now() - {GRACE} END)
"""
_SAVE = f"""
INSERT INTO quizzes_attempt AS a
    (id, quiz_id, version_id, secret_sha256, rev, digest, language, answers, private, written, at,
     seen, times, source, test)
SELECT t.id, t.quiz_id, t.version_id, t.secret, t.rev, t.digest, t.language, t.answers, t.private,
       t.written, t.at, t.seen, t.times, t.source, t.test
  FROM json_to_recordset(%s::json) AS t
       (id uuid, quiz_id uuid, version_id bigint, number int, secret bytea, rev int, digest bytea,
        language text, answers jsonb, private text, written text[], at text, seen text[],
        times jsonb, source jsonb, test boolean)
  JOIN quizzes_quiz AS q ON q.id = t.quiz_id
 WHERE ({IS_OPEN} AND {IS_LIVE})
    OR EXISTS (SELECT FROM quizzes_attempt AS a WHERE a.id = t.id AND {MAY_GO_ON})
 ORDER BY t.id
ON CONFLICT (id) DO UPDATE SET
    rev = excluded.rev, digest = excluded.digest, language = excluded.language,
    answers = excluded.answers, private = excluded.private, written = excluded.written,
    at = excluded.at,
    seen = excluded.seen, times = excluded.times, saved_at = now()
 WHERE a.secret_sha256 = excluded.secret_sha256 AND a.state = 'open' AND a.rev < excluded.rev
   AND a.quiz_id = excluded.quiz_id AND a.version_id = excluded.version_id
RETURNING id, xmax = 0
"""  # noqa: S608
_WHY = """
SELECT id, quiz_id, version_id, secret_sha256, rev, digest, state
  FROM quizzes_attempt WHERE id = ANY(%s)
"""
_OPEN = f"SELECT q.id FROM quizzes_quiz AS q WHERE q.id = ANY(%s) AND {IS_OPEN}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Saved:
    """A state that is saved; ``created`` tells the first one of an attempt."""

    id: UUID
    rev: int
    path_length: int
    created: bool


Outcome = Saved | ApplicationError


def attempts_save(saves: Sequence[Save]) -> list[Outcome]:
    """Save states of attempts; return the outcome of each.

    When this returns, what is ``Saved`` is committed, unless the caller holds a transaction open.
    """
    outcomes: dict[int, Outcome] = {}
    for places in _rounds(saves):
        found = _save_together([saves[place] for place in places])
        outcomes.update(zip(places, found, strict=True))
    return [outcomes[place] for place in range(len(saves))]


def _rounds(saves: Sequence[Save]) -> Iterator[list[int]]:
    """Yield places of the saves such that no round has an attempt twice."""
    left = list(range(len(saves)))
    while left:
        ids: set[UUID] = set()
        places: list[int] = []
        later: list[int] = []
        for place in left:
            (later if saves[place].id in ids else places).append(place)
            ids.add(saves[place].id)
        yield places
        left = later


def _save_together(saves: Sequence[Save]) -> list[Outcome]:
    try:
        # A savepoint, for callers with a transaction of their own, as tests are.
        if connection.in_atomic_block:
            with transaction.atomic():
                return _save(saves)
        return _save(saves)
    except DatabaseError as error:
        if is_outage(error):
            # Without a transaction, a connection that breaks leaves it open whether all was saved.
            broken = is_lost(error.__cause__) and connection.connection is not None
            return [OutcomeUnknown() if broken else unavailable(error)] * len(saves)
        if len(saves) > 1:
            # One that PostgreSQL refuses must not fail the others.
            return [_save_together([save])[0] for save in saves]
        logger.exception("attempt.save_failed", attempt=str(saves[0].id))
        return [ServerError()]


def _save(saves: Sequence[Save]) -> list[Outcome]:
    rows = msgspec.json.encode([_row(save) for save in saves]).decode()
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, [rows])
        created = dict(cursor.fetchall())
        missed = [save.id for save in saves if save.id not in created]
        found, still_open = {}, set()
        if missed:
            cursor.execute(_WHY, [missed])
            found = {row[0]: row for row in cursor.fetchall()}
        if unknown := [save.quiz_id for save in saves if save.id in {*missed} - found.keys()]:
            cursor.execute(_OPEN, [unknown])
            still_open = {id for (id,) in cursor.fetchall()}
    return [
        Saved(save.id, save.rev, save.path_length, created[save.id])
        if save.id in created
        else _why(save, found.get(save.id), is_open=save.quiz_id in still_open)
        for save in saves
    ]


def _why(save: Save, row: Any, *, is_open: bool) -> Outcome:
    """Return why a state was not saved; the same state again is saved already."""
    if row is None:
        return QuizChanged() if is_open else QuizClosed()
    _id, quiz_id, version_id, secret, rev, digest, state = row
    if bytes(secret) != save.secret.sha256 or quiz_id != save.quiz_id:
        return NotFound()
    if state == "finished":
        return AlreadyFinished()
    if version_id != save.version_id:
        return refused([Problem("invalid", "The attempt began with another version.", "version")])
    if rev > save.rev:
        return StaleRevision(f"This attempt is saved with rev {rev} already.")
    if rev < save.rev:
        return QuizClosed()
    if bytes(digest) != save.digest:
        return RevisionConflict()
    return Saved(save.id, save.rev, save.path_length, False)


def _row(save: Save) -> dict[str, Any]:
    return {
        "id": save.id,
        "quiz_id": save.quiz_id,
        "version_id": save.version_id,
        "number": save.version,
        "secret": f"\\x{save.secret.sha256.hex()}",
        "rev": save.rev,
        "digest": f"\\x{save.digest.hex()}",
        "language": save.language,
        "answers": save.answers,
        "private": sealed(save.texts, save.id, ATTEMPT),
        "written": [*save.texts],
        "at": save.at,
        "seen": save.seen,
        "times": save.times,
        "source": save.source,
        "test": save.test,
    }
