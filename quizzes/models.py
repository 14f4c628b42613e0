"""The tables of quizzes, each in the module of its part."""

from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import QuestionKey, Quiz, Version
from quizzes.companies.models import Company, Seat
from quizzes.funnel.models import Attribution, Grant, View
from quizzes.leads.models import (
    Consent,
    ConsentText,
    IndexKey,
    Lead,
    LeadMail,
    LeadResult,
    MailToken,
)

__all__ = [
    "Attempt",
    "Attribution",
    "Company",
    "Consent",
    "ConsentText",
    "Grant",
    "IndexKey",
    "Lead",
    "LeadMail",
    "LeadResult",
    "MailToken",
    "QuestionKey",
    "Quiz",
    "Result",
    "Seat",
    "Version",
    "View",
]
