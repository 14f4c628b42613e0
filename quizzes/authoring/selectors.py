"""What is read about quizzes and their versions."""

from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from quizzes.authoring.models import QuestionKey, Version
from quizzes.authoring.models import Quiz as QuizRow
from quizzes.companies.access import Role, company_for, parse_id
from quizzes.companies.models import Company
from quizzes.definition.parse import parse
from quizzes.definition.structs import Quiz
from shop.core.errors import NotFound

DEFINITIONS = 200
"""How many definitions a process keeps in its memory, of up to a few hundred kilobytes each."""


def quiz_for(user: Any, company: str, id: str, role: str = Role.VIEWER) -> QuizRow:
    """Return a quiz of a company, with the company. Raise ``NotFound`` or ``Forbidden``."""
    return quiz_of(company_for(user, company, role), id)


def quiz_of(company: Company, id: str) -> QuizRow:
    """Return a quiz of the company. Raise ``NotFound``."""
    found = QuizRow.objects.filter(pk=parse_id(id), company=company).first()
    if found is None:
        raise NotFound()
    found.company = company
    return found


def quizzes_of(company: Company) -> QuerySet[QuizRow]:
    """Return the company's quizzes, without their drafts."""
    return QuizRow.objects.filter(company=company).defer("draft")


def versions_of(quiz: QuizRow) -> QuerySet[Version]:
    """Return the published versions of a quiz, newest first, without their definitions."""
    return Version.objects.filter(quiz=quiz).defer("definition").order_by("-number")


def version_of(quiz: QuizRow, number: int) -> Version:
    """Return a published version of a quiz. Raise ``NotFound``."""
    found = Version.objects.filter(quiz=quiz, number=number).first()
    if found is None:
        raise NotFound()
    return found


def types_of(quiz: QuizRow) -> dict[str, str]:
    """Return the type that earlier versions gave to each key of a question."""
    return dict(QuestionKey.objects.filter(quiz=quiz).values_list("question", "type"))


@lru_cache(maxsize=DEFINITIONS)
def definition_of(version_id: int) -> Quiz:
    """Return the definition of a published version, which never changes. Raise ``NotFound``."""
    text = Version.objects.filter(pk=version_id).values_list("definition", flat=True).first()
    if text is None:
        raise NotFound()
    return parse(text.encode())
