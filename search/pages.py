"""The search, as a page and as JSON for the field in the top line."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.access import Caller
from accounts.quotas import check_searches
from accounts.rules import ON_PAGES, requires
from shop.core.apps import navigation_for
from shop.core.errors import (
    ApplicationError,
    FieldError,
    ValidationFailed,
    error_body,
    error_headers,
)
from shop.core.search import Found, Hit, search
from shop.core.text import printable

TEXT_MAX = 200
SUGGESTED = 5
LISTED = 20
JSON = "application/json"


@require_safe
@requires(GET=ON_PAGES)
def search_page(request: HttpRequest) -> HttpResponse:
    """Show what ``q`` finds; a program that accepts JSON first gets ``{"hits", "complete"}``.

    On the page, a text that is the id of one thing leads to it at once.
    """
    is_json = request.get_preferred_type(["text/html", JSON]) == JSON
    response = _suggestions(request) if is_json else _page(request)
    patch_vary_headers(response, ("Accept",))
    return response


def _found(request: HttpRequest, limit: int) -> Found:
    """Return what the caller finds. Raise ``ValidationFailed`` or ``TooManyRequests``."""
    text = request.GET.get("q", "").strip()
    if len(text) > TEXT_MAX or not printable(text):
        detail = _("Search for at most %(most)s printable characters.") % {"most": TEXT_MAX}
        raise ValidationFailed([FieldError("invalid", detail, "q")])
    if not text:
        return Found([], complete=True)
    caller = Caller.of(request.user)
    check_searches(caller)
    found = search(caller, text, limit)
    return Found([*found.hits, *_pages(request.user, text)], found.complete)


def _pages(user: Any, text: str) -> list[Hit]:
    """Return the pages of the user's navigation of which a word begins with the text."""
    start = text.casefold()
    return [
        Hit(gettext_lazy("Page"), entry.label, "", reverse(entry.route))
        for entry in navigation_for(user)
        if f" {entry.label}".casefold().find(f" {start}") >= 0
    ]


def _suggestions(request: HttpRequest) -> HttpResponse:
    try:
        found = _found(request, SUGGESTED)
    except ApplicationError as error:
        return JsonResponse(error_body(error), status=error.status, headers=error_headers(error))
    hits = [
        {"kind": str(hit.kind), "label": str(hit.label), "detail": str(hit.detail), "url": hit.url}
        for hit in found.hits
    ]
    return JsonResponse({"hits": hits, "complete": found.complete})


def _page(request: HttpRequest) -> HttpResponse:
    found, error, status = None, "", 200
    headers: dict[str, str] = {}
    try:
        found = _found(request, LISTED)
    except ApplicationError as refused:
        error, status, headers = str(refused), refused.status, error_headers(refused)
    exact = [hit for hit in found.hits if hit.exact] if found else []
    if len(exact) == 1:
        return redirect(exact[0].url)
    groups: dict[str, list[Hit]] = {}
    for hit in found.hits if found else []:
        groups.setdefault(str(hit.kind), []).append(hit)
    context = {
        "search_text": request.GET.get("q", "").strip()[:TEXT_MAX],
        "groups": groups,
        "found": found,
        "error": error,
        "text_max": TEXT_MAX,
    }
    response = render(request, "search/results.html", context, status=status)
    for name, value in headers.items():
        response[name] = value
    return response
