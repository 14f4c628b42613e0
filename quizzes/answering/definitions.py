"""Published definitions, read once and kept in memory: they never change."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from quizzes.authoring.models import Version
from quizzes.definition.parse import parse
from quizzes.definition.public import public_part
from quizzes.definition.structs import Quiz

KEPT = 64
KEPT_QUIZZES = 1000


@dataclass(frozen=True)
class Definition:
    """One version of a quiz."""

    id: int
    quiz_id: UUID
    slug: str
    company: str
    number: int
    sha256: str
    quiz: Quiz

    @cached_property
    def public(self) -> msgspec.Raw:
        """The JSON of what a respondent's device may know."""
        return msgspec.Raw(msgspec.json.encode(public_part(self.quiz)))


_definitions: dict[int, Definition] = {}
# The id of each version by the slug of its quiz and its number.
_versions: dict[tuple[str, int], int] = {}
_quizzes: dict[str, UUID] = {}


def known(slug: str, number: int) -> Definition | None:
    """Return a version if this process has it in memory. This never waits."""
    id = _versions.get((slug, number))
    return None if id is None else _definitions.get(id)


def known_quiz(slug: str) -> UUID | None:
    """Return the id of a quiz that this process knows. This never waits."""
    return _quizzes.get(slug)


def version_of(slug: str, number: int) -> Definition | None:
    """Return a version, or ``None`` where a quiz of this name has none of this number."""
    found = known(slug, number)
    if found is None:
        row = _rows().filter(quiz__slug=slug, number=number).first()
        found = None if row is None else _keep(row)
    return found


def definition(id: int) -> Definition:
    """Return the version with this id. Raise ``Version.DoesNotExist``."""
    return _definitions.get(id) or _keep(_rows().get(pk=id))


def _rows() -> Any:
    return Version.objects.select_related("quiz__company")


def _keep(row: Version) -> Definition:
    found = Definition(
        id=row.pk,
        quiz_id=row.quiz_id,
        slug=row.quiz.slug,
        company=row.quiz.company.slug,
        number=row.number,
        sha256=bytes(row.sha256).hex(),
        quiz=parse(row.definition.encode()),
    )
    _make_room(_definitions, KEPT)
    _make_room(_versions, KEPT_QUIZZES)
    _make_room(_quizzes, KEPT_QUIZZES)
    _definitions[found.id] = found
    _versions[found.slug, found.number] = found.id
    _quizzes[found.slug] = found.quiz_id
    return found


def _make_room(kept: dict[Any, Any], most: int) -> None:
    # Other threads may do the same at this moment.
    while len(kept) >= most:
        kept.pop(next(iter(kept), None), None)
