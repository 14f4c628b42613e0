"""The page of a quiz's funnel: how far respondents came, and where they left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import definition_of
from quizzes.funnel.figures import Asked, Figures, figures_of, questions_of
from quizzes.funnel.selectors import coupons_not_given, newest_version, version_id
from quizzes.pages.editing.reaching import above, quiz_at
from quizzes.pages.titles import title_in, words_in
from shop.core.charts import Chart, Point, bar_chart
from shop.core.errors import ApplicationError, FieldError, ValidationFailed, error_response
from shop.core.money import number
from shop.core.typed_times import Edge, typed_moment

STAGES: dict[str, str | Promise] = {
    "started": gettext_lazy("Began"),
    "answered": gettext_lazy("Answered"),
    "finished": gettext_lazy("Finished"),
    "contact": gettext_lazy("Left an address"),
    "confirmed": gettext_lazy("Confirmed it"),
    "bought": gettext_lazy("Bought"),
}
LABELS = {
    "since": gettext_lazy("From"),
    "until": gettext_lazy("To"),
    "version": gettext_lazy("Version"),
}
REASONS = {
    "billing_off": gettext_lazy("billing is switched off"),
    "no_campaign": gettext_lazy("there is no such campaign"),
    "campaign_over": gettext_lazy("the campaign is over, or was stopped"),
    "none_left": gettext_lazy("all its coupons are given"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its count, the percent of those who began, and its counts in each arm."""

    label: str | Promise
    count: int
    percent: int | None
    arms: list[int]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its text, and the percent of those who saw it that left there."""

    title: str
    seen: int
    answered: int
    left: int
    left_percent: int | None
    seconds: str


@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def quiz_funnel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show the stages of a quiz as a chart and a table, its arms side by side."""
    errors: dict[str, str] = {}
    try:
        quiz = quiz_at(request, id)
        try:
            asked = _asked(quiz, request)
        except ValidationFailed as error:
            errors = {item.attr or "": item.detail for item in error.errors}
            asked = Asked(quiz.pk)
    except ApplicationError as error:
        return error_response(request, error)
    context = above(request, quiz, "quiz_funnel") | _shown(quiz, asked)
    context |= {"errors": errors, "labels": LABELS, "given": request.GET}
    return render(request, "quizzes/funnel/funnel.html", context, status=400 if errors else 200)


def _asked(quiz: Quiz, request: HttpRequest) -> Asked:
    errors = []
    moments = {}
    for name, edge in (("since", Edge.START), ("until", Edge.END)):
        text = request.GET.get(name, "").strip()
        try:
            moments[name] = typed_moment(text, edge) if text else None
        except ValueError as fault:
            errors.append(FieldError("invalid", str(fault), name))
    given = request.GET.get("version", "").strip()
    version = version_id(quiz, given) if given else None
    if given and version is None:
        errors.append(FieldError("invalid", _("There is no such version."), "version"))
    if errors:
        raise ValidationFailed(errors)
    return Asked(quiz.pk, version, **moments)


def _shown(quiz: Quiz, asked: Asked) -> dict[str, Any]:
    found = figures_of(asked)
    arms = [arm["version"] for arm in quiz.arms] if asked.version is None else []
    each = [
        figures_of(Asked(quiz.pk, version_id(quiz, str(arm)), asked.since, asked.until))
        for arm in arms
    ]
    stages = [
        Stage(
            label,
            getattr(found, name),
            _percent(getattr(found, name), found.started),
            [getattr(one, name) for one in each],
        )
        for name, label in STAGES.items()
    ]
    return {
        "figures": found,
        "stages": stages,
        "arms": arms,
        "chart": _chart(stages),
        "questions": _questions(quiz, asked),
        "shares": _shares(quiz, asked, found),
        "revenue": list(found.revenue.items()),
        "not_given": [
            (REASONS.get(reason, reason), count) for reason, count in coupons_not_given(quiz)
        ],
    }


def _chart(stages: Sequence[Stage]) -> Chart:
    points = [
        Point(
            label=str(stage.label),
            name=str(stage.label),
            value=stage.count,
            text=number(stage.count),
        )
        for stage in stages
    ]
    return bar_chart(points, title=_("How far they came"), headings=(_("Stage"), _("Attempts")))


def _questions(quiz: Quiz, asked: Asked) -> list[Question]:
    version = asked.version or newest_version(quiz)
    whole = definition_of(version) if version else None
    titles: dict[str, str] = {}
    if whole is not None:
        titles = {each.key: words_in(whole, each.title) or each.key for each in whole.questions}
    return [
        Question(
            titles.get(each.key, each.key),
            each.seen,
            each.answered,
            each.left,
            _percent(each.left, each.seen),
            "" if each.median_seconds is None else number(each.median_seconds),
        )
        for each in questions_of(asked, list(titles))
    ]


def _shares(
    quiz: Quiz, asked: Asked, found: Figures
) -> list[tuple[str, str, list[tuple[str, int, int | None]]]]:
    """Return how the results are divided: two headings, and titles with counts and percents."""
    version = asked.version or newest_version(quiz)
    whole = definition_of(version) if version else None
    parts = (
        ("outcomes", _("Outcomes"), _("Outcome"), found.outcomes),
        ("bands", _("Levels"), _("Level"), found.bands),
    )
    return [
        (
            heading,
            column,
            [
                (title_in(whole, part, key) if whole else key, n, _percent(n, found.finished))
                for key, n in sorted(counts.items())
            ],
        )
        for part, heading, column, counts in parts
        if counts
    ]


def _percent(part: int, whole: int) -> int | None:
    return round(100 * part / whole) if whole else None
