"""Which version of a quiz a respondent gets, and whether the quiz takes attempts now."""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone

from quizzes.answering.definitions import Definition, version_of
from quizzes.answering.errors import QuizClosed
from quizzes.authoring.models import Quiz
from shop.core.errors import NotFound

BRAND = ("color", "accent", "logo", "imprint_url", "privacy_url")


@dataclass(frozen=True, slots=True)
class Opened:
    """A quiz that takes attempts, and the version that this attempt gets."""

    quiz: Quiz
    version: Definition

    def represent(self) -> bytes:
        """Return the JSON of the quiz, of its company's face, and of the public definition."""
        company = self.quiz.company
        return msgspec.json.encode(
            {
                "slug": self.quiz.slug,
                "version": self.version.number,
                "sha256": self.version.sha256,
                "languages": self.version.quiz.languages,
                "state": self.quiz.state,
                "company": {
                    "name": company.name,
                    **{name: company.brand.get(name) for name in BRAND},
                },
                "definition": self.version.public,
            }
        )


def quiz_open(slug: str, attempt: UUID | None = None) -> Opened:
    """Return the quiz with the version that the attempt gets, or else the newest.

    Raise ``NotFound`` for a quiz that was never published, and ``QuizClosed``.
    """
    # The draft may have 256 KiB, and nobody here reads it.
    quizzes = Quiz.objects.select_related("company").defer("draft")
    quiz = quizzes.filter(slug=slug, version__isnull=False).first()
    if quiz is None or quiz.version is None or quiz.state == Quiz.State.DRAFT:
        raise NotFound()
    if not is_open(quiz):
        raise QuizClosed()
    version = version_of(slug, number_for(quiz.version, quiz.arms, attempt))
    if version is None:
        raise NotFound()
    return Opened(quiz, version)


def is_open(quiz: Quiz) -> bool:
    """Return whether the quiz takes new attempts now."""
    now = timezone.now()
    return (
        quiz.state == Quiz.State.OPEN
        and (quiz.opens_at is None or quiz.opens_at <= now)
        and (quiz.closes_at is None or quiz.closes_at > now)
    )


def number_for(newest: int, arms: list[dict[str, Any]], attempt: UUID | None) -> int:
    """Return the number of the version that an attempt gets; the same one each time.

    Attempts are divided among the arms by a hash of their ids, in proportion to the weights.
    """
    total = sum(arm["weight"] for arm in arms)
    if attempt is None or total <= 0:
        return newest
    place = int.from_bytes(hashlib.sha256(attempt.bytes).digest()[:8]) % total
    for arm in arms:
        place -= arm["weight"]
        if place < 0:
            return int(arm["version"])
    return newest
