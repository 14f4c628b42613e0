"""``/documentation/quiz.schema.json``: the shape of definitions, for editors and programs."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts.rules import OPEN, requires
from quizzes.definition.schema import quiz_schema


@require_safe
@cache_control(public=True, max_age=60)
@requires(GET=OPEN)
def schema(request: HttpRequest) -> HttpResponse:
    """Return the JSON Schema of ``shop-quiz/1``."""
    return HttpResponse(quiz_schema(), content_type="application/schema+json")
