"""The editor: JSON in a form, which a script makes into fields."""

import json
import re
from typing import Any
from uuid import UUID

import msgspec
from django.conf.locale import LANG_INFO
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.authoring.drafts import checked
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import types_of
from quizzes.authoring.services import DraftChanged, draft_save
from quizzes.companies.access import Role
from quizzes.definition.parse import decoded
from quizzes.definition.problems import Invalid
from quizzes.pages.editing.fields import fields
from quizzes.pages.editing.reaching import above, by_field, quiz_at
from quizzes.pages.editing.sentences import translated
from quizzes.pages.editing.words import PARTS, WORDS, sentence, told
from shop.core.errors import ApplicationError, FieldError, ValidationFailed, error_response

LANGUAGES = sorted(code for code in LANG_INFO if re.fullmatch("[a-z]{2,3}", code))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def quiz_editor(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show the draft of a quiz; save the JSON of the form."""
    is_write = request.method == "POST"
    try:
        quiz = quiz_at(request, id, Role.EDITOR if is_write else Role.VIEWER)
    except ApplicationError as error:
        return error_response(request, error)
    errors: dict[str, str] = {}
    text, status = "", 200
    if is_write:
        text = request.POST.get("definition", "")
        try:
            _save(quiz, text, request.POST.get("revision", ""))
        except ApplicationError as error:
            status, errors = error.status, by_field(error)
            quiz.refresh_from_db()
            changed = isinstance(error, DraftChanged)
        else:
            messages.success(request, _("The draft is saved."))
            return redirect("quiz_editor", quiz.pk)
    found = checked(quiz.draft, types_of(quiz))
    context = above(request, quiz, "quiz_editor")
    context |= {
        "text": text or _pretty(quiz.draft),
        "theirs": _pretty(quiz.draft) if errors and changed else "",
        "errors": errors,
        "labels": {"definition": _("Definition")},
        "problems": [(told(each), each.attr) for each in found.errors],
        "data": _data(request, quiz) if context["may_edit"] and not errors else None,
    }
    return render(request, "quizzes/editing/editor.html", context, status=status)


def _save(quiz: Quiz, text: str, revision: str) -> None:
    try:
        definition = decoded(text.encode())
    except Invalid as invalid:
        problem = invalid.errors[0]
        detail = sentence(problem)
        raise ValidationFailed([FieldError(problem.code, detail, "definition")]) from None
    known = revision.isascii() and revision.isdigit() and len(revision) < 10
    draft_save(quiz=quiz, definition=definition, expected={int(revision)} if known else set())


def _pretty(draft: Any) -> str:
    return json.dumps(draft, ensure_ascii=False, indent=2)


def _data(request: HttpRequest, quiz: Quiz) -> dict[str, Any]:
    """Return what the script begins with."""
    args = [quiz.company.slug, quiz.pk]
    return {
        "id": str(quiz.pk),
        "revision": quiz.draft_rev,
        "definition": msgspec.to_builtins(quiz.draft),
        "types": types_of(quiz),
        "urls": {
            "draft": reverse("api_quiz_draft", args=args),
            "check": reverse("api_quiz_check", args=args),
        },
        "fields": fields(),
        "words": {code: str(words) for code, words in WORDS.items()},
        "sentences": translated(),
        "parts": {name: str(words) for name, words in PARTS.items()},
        "languages": LANGUAGES,
    }
