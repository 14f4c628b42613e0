"""The tables of quizzes, each in the module of its part."""

from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import QuestionKey, Quiz, Version
from quizzes.companies.models import Company, Seat

__all__ = ["Attempt", "Company", "QuestionKey", "Quiz", "Result", "Seat", "Version"]
