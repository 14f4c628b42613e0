"""The results of a quiz: a list with filters, and one with its answers."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from documents.models import Document
from quizzes.answering.definitions import definition
from quizzes.answering.results import FILTERS, result_at, result_data, results_of
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import definition_of, versions_of
from quizzes.leads.papers import paper_of
from quizzes.pages.editing.reaching import above, by_field, quiz_at
from quizzes.pages.titles import band_in, language_name, title_in, words_in
from shop.core.errors import ApplicationError, ValidationFailed, error_response
from shop.core.pagination import paginate
from shop.core.typed_times import typed_day

VERSIONS_SHOWN = 50
LABELS = {
    "version": _("Version"),
    "outcome": _("Outcome"),
    "band": _("Level"),
    "since": _("From"),
    "until": _("To"),
}


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def quiz_results(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show the results of a quiz."""
    try:
        quiz = quiz_at(request, id)
    except ApplicationError as error:
        return error_response(request, error)
    given = {name: request.GET.get(name, "").strip() for name in FILTERS}
    errors: dict[str, str] = {}
    page: Any = None
    try:
        page = paginate(
            results_of(quiz, _plain(given)),
            cursor=request.GET.get("cursor"),
            moment_field="finished_at",
            key_field="attempt_id",
        )
    except ValidationFailed as error:
        errors = by_field(error)
    rows = [_row(result) for result in (page.items if page else ())]
    query = urlencode({name: value for name, value in given.items() if value})
    newest = versions_of(quiz)[:VERSIONS_SHOWN]
    outcomes, bands = _titles(quiz, "outcomes"), _titles(quiz, "bands")
    context = above(request, quiz, "quiz_results")
    context |= {
        "rows": rows,
        # Results of older versions may have what the newest has no more.
        "has_outcomes": bool(outcomes) or any(row["outcome"] for row in rows),
        "has_bands": bool(bands) or any(row["band"] for row in rows),
        "links": page.links(query) if page else {},
        "given": given,
        "filtered": bool(query),
        "errors": errors,
        "labels": LABELS,
        "versions": [("", "–"), *((each.number, each.number) for each in newest)],
        "outcomes": outcomes,
        "bands": bands,
        "chips": _chips(quiz, given, dict(outcomes), dict(bands)),
    }
    return render(request, "quizzes/editing/results.html", context, status=400 if errors else 200)


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def quiz_result(request: HttpRequest, id: UUID, rid: UUID) -> HttpResponse:
    """Show one result of a quiz, as its respondent sees it."""
    try:
        quiz = quiz_at(request, id)
        result = result_at(quiz, rid)
    except ApplicationError as error:
        return error_response(request, error)
    whole = definition(result.version_id).quiz
    shown = result_data(result, get_language() or "")
    context = above(request, quiz, "quiz_results")
    context |= {
        "result": shown,
        "paragraphs": [*_paragraphs(shown["headline"]["text"]), *_paragraphs(shown["blocks"])],
        "finished_at": result.finished_at,
        "row": _row(result),
        "tied_with": [title_in(whole, "outcomes", key) for key in shown["tied_with"]],
        "categories": [
            (
                title_in(whole, "categories", each["key"]),
                each["percent"],
                band_in(whole, each["key"], each["band"]),
            )
            for each in result.categories
        ],
    }
    return render(request, "quizzes/editing/result.html", context)


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def quiz_result_pdf(request: HttpRequest, id: UUID, rid: UUID) -> HttpResponse:
    """Lead to the PDF of a result, or say that it is being made, and look again."""
    try:
        quiz = quiz_at(request, id)
        paper = paper_of(result_at(quiz, rid).pk)
    except ApplicationError as error:
        return error_response(request, error)
    if paper.is_stored:
        return redirect("api_quiz_result_pdf", quiz.company.slug, quiz.pk, rid)
    context = above(request, quiz, "quiz_results")
    context |= {
        "back": reverse("quiz_result", args=[quiz.pk, rid]),
        "failed": paper.status == Document.Status.FAILED,
    }
    return render(request, "quizzes/editing/pdf.html", context)


def _paragraphs(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the words of blocks of Markdown, without emphasis and links."""
    found: list[str] = []
    for block in blocks:
        found += [_flat(inlines) for inlines in block.get("items", [block.get("children", [])])]
    return found


def _flat(inlines: list[dict[str, Any]]) -> str:
    parts = (each.get("text") or _flat(each.get("children", [])) or " " for each in inlines)
    return "".join(parts)


def _plain(given: dict[str, str]) -> dict[str, str]:
    """Return the filters with days as the API reads them. Raise ``ValidationFailed``."""
    found = dict(given)
    for name in ("since", "until"):
        try:
            found[name] = typed_day(given[name]).isoformat() if given[name] else ""
        except ValueError:
            continue
    return found


def _row(result: Any) -> dict[str, Any]:
    whole = definition(result.version_id).quiz
    return {
        "result": result,
        "outcome": title_in(whole, "outcomes", result.outcome),
        "band": title_in(whole, "bands", result.band),
        "language": language_name(result.language),
    }


def _titles(quiz: Quiz, part: str) -> list[tuple[str, str]]:
    """Return the keys and titles of the newest version, for a filter."""
    newest = versions_of(quiz).first()
    if newest is None:
        return []
    whole = definition_of(newest.pk)
    found = [(each.key, words_in(whole, each.title) or each.key) for each in getattr(whole, part)]
    return [("", "–"), *found] if found else []


def _chips(
    quiz: Quiz, given: dict[str, str], outcomes: dict[str, str], bands: dict[str, str]
) -> list[dict[str, str]]:
    titles = {"outcome": outcomes, "band": bands}
    place = reverse("quiz_results", args=[quiz.pk])
    return [
        {
            "label": f"{LABELS[name]}: {titles.get(name, {}).get(value, value)}",
            "url": f"{place}?{urlencode({n: v for n, v in given.items() if v and n != name})}",
        }
        for name, value in given.items()
        if value
    ]
