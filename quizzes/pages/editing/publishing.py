"""Publishing: what changes for new respondents, what prevents it, and the versions so far."""

from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.authoring.changes import changes
from quizzes.authoring.drafts import checked
from quizzes.authoring.files import as_file, exported
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import types_of, version_of, versions_of
from quizzes.authoring.services import quiz_publish
from quizzes.companies.access import Role
from quizzes.definition.canonical import builtin
from quizzes.definition.parse import parse
from quizzes.pages.editing.reaching import above, by_field, quiz_at, user_of
from quizzes.pages.editing.words import told
from quizzes.pages.player.preview import preview_address
from shop.core.errors import ApplicationError, error_response

VERSIONS_SHOWN = 100
CHANGES_SHOWN = 50
PARTS = {
    "questions": gettext_lazy("Question"),
    "outcomes": gettext_lazy("Outcome"),
    "categories": gettext_lazy("Category"),
    "bands": gettext_lazy("Level"),
    "languages": gettext_lazy("Languages"),
    "title": gettext_lazy("Title"),
    "intro": gettext_lazy("Words before the first question"),
    "settings": gettext_lazy("Settings"),
    "fallback": gettext_lazy("Outcome for everybody else"),
    "contact": gettext_lazy("Contact"),
    "result": gettext_lazy("More words of the result"),
}
KINDS = {
    "added": (gettext_lazy("new"), "good", "plus"),
    "removed": (gettext_lazy("removed"), "bad", "minus"),
    "changed": (gettext_lazy("changed"), "", "pencil"),
    "moved": (gettext_lazy("another order"), "", "arrow-up-down"),
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def quiz_versions(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show what publishing would change; publish."""
    is_write = request.method == "POST"
    try:
        quiz = quiz_at(request, id, Role.EDITOR if is_write else Role.VIEWER)
    except ApplicationError as error:
        return error_response(request, error)
    errors: dict[str, str] = {}
    status = 200
    if is_write:
        try:
            published = quiz_publish(actor=user_of(request), quiz=quiz)
        except ApplicationError as error:
            status, errors = error.status, by_field(error)
        else:
            number = published.version.number
            messages.success(request, _("Version %(number)s is published.") % {"number": number})
            return redirect("quiz_versions", quiz.pk)
    found = checked(quiz.draft, types_of(quiz))
    context = above(request, quiz, "quiz_versions")
    context |= {
        "problems": [(told(each), each.attr) for each in found.errors],
        "warnings": [(told(each), each.attr) for each in found.warnings],
        "changes": [] if found.errors else _changes(quiz),
        "versions": versions_of(quiz)[:VERSIONS_SHOWN],
        "refused": bool(errors),
    }
    return render(request, "quizzes/editing/versions.html", context, status=status)


def _changes(quiz: Quiz) -> list[tuple[Any, ...]]:
    after = builtin(parse(quiz.draft))
    before: dict[str, Any] = {}
    if quiz.version is not None:
        before = msgspec.json.decode(version_of(quiz, quiz.version).definition)
    found = list(changes(before, after)) if before else []
    return [
        (KINDS[each.kind], PARTS.get(each.part, each.part), each.name)
        for each in found[:CHANGES_SHOWN]
    ]


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def quiz_file(request: HttpRequest, id: UUID) -> HttpResponse:
    """Return the draft, or a version, as a file."""
    try:
        quiz = quiz_at(request, id)
        return as_file(quiz, exported(quiz, request.GET.get("version")))
    except ApplicationError as error:
        return error_response(request, error)


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_WRITE))
def quiz_preview(request: HttpRequest, id: UUID) -> HttpResponse:
    """Lead to the player on the draft, where nothing is kept or counted."""
    try:
        quiz = quiz_at(request, id, Role.EDITOR)
    except ApplicationError as error:
        return error_response(request, error)
    if checked(quiz.draft, types_of(quiz)).errors:
        messages.warning(request, _("The preview shows a quiz that could be published."))
        return redirect("quiz_versions", quiz.pk)
    return redirect(preview_address(quiz))
