"""The events of quizzes and leads. They hold ids and figures, and nothing that names a person."""

from decimal import Decimal
from uuid import UUID

import msgspec

from events.types import EventType


class QuizPublished(msgspec.Struct, forbid_unknown_fields=True):
    company: str
    quiz: UUID
    slug: str
    version: int
    sha256: str


class QuizFinished(msgspec.Struct, forbid_unknown_fields=True):
    """``result`` is the id of the attempt, too. ``percent`` is null where nothing was reachable."""

    company: str
    quiz: UUID
    slug: str
    version: int
    result: UUID
    points: Decimal
    max: Decimal
    percent: Decimal | None
    band: str
    outcome: str


class LeadMoved(msgspec.Struct, forbid_unknown_fields=True):
    """``result`` is the result that the lead asked for, if it was about one."""

    company: str
    lead: UUID
    quiz: UUID | None
    result: UUID | None


def _type(name: str, number: int, description: str, data: type[msgspec.Struct]) -> EventType:
    return EventType(name, number, "quizzes", description, data, teams=True)


QUIZ_PUBLISHED = _type("quiz.published", 40, "A quiz got a new version.", QuizPublished)
QUIZ_FINISHED = _type("quiz.finished", 41, "A respondent finished a quiz.", QuizFinished)
LEAD_CREATED = _type("lead.created", 42, "A respondent left an address.", LeadMoved)
LEAD_CONFIRMED = _type("lead.confirmed", 43, "A lead confirmed its address.", LeadMoved)
LEAD_WITHDRAWN = _type("lead.withdrawn", 44, "A lead took its consent back.", LeadMoved)
LEAD_ERASED = _type("lead.erased", 45, "A lead's personal data were erased.", LeadMoved)

EVENT_TYPES = (
    QUIZ_PUBLISHED,
    QUIZ_FINISHED,
    LEAD_CREATED,
    LEAD_CONFIRMED,
    LEAD_WITHDRAWN,
    LEAD_ERASED,
)
