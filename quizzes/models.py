"""The tables of quizzes, each in the module of its part."""

from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import QuestionKey, Quiz, Version
from quizzes.companies.models import Company, Seat
from quizzes.funnel.models import Attribution, Grant, View

__all__ = [
    "Attempt",
    "Attribution",
    "Company",
    "Grant",
    "QuestionKey",
    "Quiz",
    "Result",
    "Seat",
    "Version",
    "View",
]
