"""A look at a draft, for who has its link: nothing is kept, sent or counted."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core import signing
from django.urls import reverse

from quizzes.answering.finishing import kept_categories, marked
from quizzes.answering.models import Result
from quizzes.answering.representation import result_represent
from quizzes.authoring.models import Quiz
from quizzes.definition.parse import parse
from quizzes.definition.structs import Quiz as Definition
from quizzes.scoring.answers import validate
from quizzes.scoring.result import score
from shop.core.errors import NotFound

GOOD_FOR = 24 * 3600
_SALT = "quizzes.preview"


def preview_address(quiz: Quiz) -> str:
    """Return the path of the player on the draft of a quiz. It works for a day."""
    token = signing.dumps(str(quiz.pk), salt=_SALT)
    return f"{reverse('quiz_player', args=[quiz.slug])}?{urlencode({'preview': token})}"


def draft_in(slug: str, token: str) -> tuple[Quiz, Definition]:
    """Return a quiz with its draft. Raise ``NotFound``, or ``Invalid`` for an unfinished draft."""
    try:
        id = signing.loads(token, salt=_SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        raise NotFound() from None
    quiz = Quiz.objects.select_related("company").filter(pk=id, slug=slug).first()
    if quiz is None:
        raise NotFound()
    return quiz, parse(quiz.draft)


def result_of_draft(quiz: Quiz, draft: Definition, language: str, answers: Any) -> dict[str, Any]:
    """Return what answers come to under a draft. Raise ``Invalid``. Nothing is stored."""
    found = score(draft, validate(draft, answers, complete=True))
    result = Result(
        attempt_id=UUID(int=0),
        language=language,
        points=found.points,
        max=found.max,
        percent=found.percent,
        band=found.band or "",
        outcome=found.outcome or "",
        tied=found.tied_with,
        categories=kept_categories(found.categories),
        answers=marked(draft, found.answers),
        path=found.path,
        finished_at=datetime.now(UTC),
    )
    return result_represent(draft, quiz.slug, 0, result)
