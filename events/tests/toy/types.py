"""Types of events of three parts, which different callers may read."""

from datetime import date
from decimal import Decimal

import msgspec

from events.types import EventType


class InvoiceIssued(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    total: Decimal
    due: date | None = None


class QuizFinished(msgspec.Struct, forbid_unknown_fields=True):
    score: int


class Restarted(msgspec.Struct, forbid_unknown_fields=True):
    pass


INVOICE = EventType(
    "ticket.issued", 30_001, "billing", "An invoice was issued.", InvoiceIssued, teams=True
)
QUIZ = EventType("game.finished", 30_002, "quizzes", "A quiz was finished.", QuizFinished)
RESTARTED = EventType("deploy.restarted", 30_003, "logs", "The site was restarted.", Restarted)
EVENT_TYPES = (INVOICE, QUIZ, RESTARTED)
