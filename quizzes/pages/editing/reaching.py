"""Which quizzes the pages show to whom, what stands above each, and how errors are told there."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from quizzes.authoring.models import Quiz
from quizzes.companies.access import Role, company_for, role_of
from quizzes.pages.editing.sentences import in_words
from shop.core.errors import ApplicationError, NotFound

TABS = {
    "quiz_editor": _("Edit"),
    "quiz_versions": _("Publish"),
    "quiz_opening": _("Open and share"),
    "quiz_results": _("Results"),
    "quiz_funnel": _("Funnel"),
}
"""The pages of one quiz: label by route. One that is not there is left out."""
STATES = {
    "draft": (_("Draft"), "", "pencil"),
    "open": (_("Open"), "good", "circle-check"),
    "closed": (_("Closed"), "warn", "lock"),
}


def user_of(request: HttpRequest) -> User:
    """Return who makes the request."""
    return cast(User, request.user)


def quiz_at(request: HttpRequest, id: UUID, role: str = Role.VIEWER) -> Quiz:
    """Return the quiz with its company. Raise ``NotFound`` for outsiders, or ``Forbidden``."""
    found = Quiz.objects.select_related("company").filter(pk=id).first()
    if found is None:
        raise NotFound()
    company_for(request.user, found.company.slug, role)
    return found


def may_edit(request: HttpRequest, quiz: Quiz) -> bool:
    """Return whether the reader may change the quiz."""
    return role_of(request.user, quiz.company) in (Role.EDITOR, Role.OWNER)


def above(request: HttpRequest, quiz: Quiz, current: str) -> dict[str, Any]:
    """Return what the templates of a quiz's pages share."""
    return {
        "quiz": quiz,
        "name": title_of(quiz.draft) or quiz.slug,
        "state": STATES[quiz.state],
        "tabs": list(_tabs(quiz, current)),
        "may_edit": may_edit(request, quiz),
    }


def _tabs(quiz: Quiz, current: str) -> Any:
    for route, label in TABS.items():
        try:
            url = reverse(route, args=[quiz.pk])
        except NoReverseMatch:
            continue
        yield {"label": label, "url": url, "current": route == current}


def title_of(draft: Any) -> str:
    """Return the title of a draft in the reader's language, else in its first; or empty."""
    titles = draft.get("title") if isinstance(draft, dict) else None
    if not isinstance(titles, dict):
        return ""
    # PostgreSQL keeps the members of an object in an order of its own.
    languages = draft.get("languages")
    order = [get_language(), *(languages if isinstance(languages, list) else ()), *titles]
    texts = (titles.get(each) for each in order if isinstance(each, str))
    return next((text for text in texts if isinstance(text, str) and text), "")


def by_field(error: ApplicationError) -> dict[str, str]:
    """Return the messages of an error by the fields of a form."""
    return {item.attr or "": in_words(item.detail) for item in error.errors}


def lines(given: Mapping[str, Any], name: str) -> list[str]:
    """Return the lines of a field that has some text."""
    return [line.strip() for line in str(given.get(name, "")).splitlines() if line.strip()]
