"""When a quiz is open, for how many, and on whose pages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.authoring.models import Quiz
from quizzes.authoring.serializers import QuizChangeSerializer
from quizzes.authoring.services import quiz_change
from quizzes.companies.access import Role
from quizzes.pages.editing.reaching import above, by_field, lines, quiz_at, user_of
from shop.core.errors import ApplicationError, FieldError, ValidationFailed, error_response
from shop.core.typed_times import Edge, typed_moment

LABELS = {
    "state": gettext_lazy("State"),
    "opens_at": gettext_lazy("Opens"),
    "closes_at": gettext_lazy("Closes"),
    "max_results": gettext_lazy("Most results"),
    "per_address": gettext_lazy("Results for one mail address"),
    "embed": gettext_lazy("Sites that may embed it"),
    "arms": gettext_lazy("Versions to compare"),
}
STATES = [("open", gettext_lazy("Open")), ("closed", gettext_lazy("Closed"))]
PER_ADDRESS = [("many", gettext_lazy("Any number")), ("one", gettext_lazy("Only one"))]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def quiz_opening(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show when and for whom a quiz is open; change it."""
    is_write = request.method == "POST"
    try:
        quiz = quiz_at(request, id, Role.EDITOR if is_write else Role.VIEWER)
    except ApplicationError as error:
        return error_response(request, error)
    errors: dict[str, str] = {}
    status = 200
    if is_write:
        try:
            quiz_change(actor=user_of(request), quiz=quiz, changes=_changes(request.POST, quiz))
        except ApplicationError as error:
            status = error.status
            errors = {name.split(".")[0]: text for name, text in by_field(error).items()}
        else:
            messages.success(request, _("It is changed."))
            return redirect("quiz_opening", quiz.pk)
    context = above(request, quiz, "quiz_opening")
    context |= {
        "errors": errors,
        "labels": LABELS,
        "given": request.POST if errors else _given(quiz),
        "states": STATES,
        "per_address": PER_ADDRESS,
        "address": request.build_absolute_uri(f"/q/{quiz.slug}/"),
        "script": request.build_absolute_uri(f"/q/{quiz.slug}/embed.js"),
    }
    return render(request, "quizzes/editing/opening.html", context, status=status)


def _given(quiz: Quiz) -> dict[str, Any]:
    return {
        "state": quiz.state,
        "opens_at": _typed(quiz.opens_at),
        "closes_at": _typed(quiz.closes_at),
        "max_results": quiz.max_results,
        "per_address": quiz.per_address,
        "embed": "\n".join(quiz.embed),
        "arms": "\n".join(f"{arm['version']}: {arm['weight']}" for arm in quiz.arms),
    }


def _typed(moment: datetime | None) -> str:
    return "" if moment is None else f"{localtime(moment):%Y-%m-%d %H:%M}"


def _changes(given: Any, quiz: Quiz) -> dict[str, Any]:
    """Return what the form changes. Raise ``ValidationFailed``."""
    errors: list[FieldError] = []
    changes: dict[str, Any] = {"per_address": given.get("per_address", "many")}
    if quiz.version is not None and given.get("state"):
        changes["state"] = given["state"]
    for name, edge in (("opens_at", Edge.START), ("closes_at", Edge.END)):
        text = given.get(name, "").strip()
        try:
            changes[name] = typed_moment(text, edge) if text else None
        except ValueError as fault:
            errors.append(FieldError("invalid", str(fault), name))
    changes["embed"] = lines(given, "embed")
    try:
        pairs = [line.partition(":")[::2] for line in lines(given, "arms")]
        changes["arms"] = [{"version": int(v), "weight": int(w or 1)} for v, w in pairs]
    except ValueError:
        detail = _("Write a version and its weight in each line: 4: 50")
        errors.append(FieldError("invalid", detail, "arms"))
    most = given.get("max_results", "").strip()
    changes["max_results"] = most or None
    serializer = QuizChangeSerializer(data={**changes, "opens_at": None, "closes_at": None})
    if not serializer.is_valid():
        errors += [
            FieldError("invalid", _("This is not possible here."), str(name))
            for name in serializer.errors
        ]
    if errors:
        raise ValidationFailed(errors)
    return {**serializer.validated_data, **{n: changes[n] for n in ("opens_at", "closes_at")}}
