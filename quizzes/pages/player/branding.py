"""The look of a quiz, as files that its pages load, and the script for other sites' pages."""

import hashlib
import json

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.rules import OPEN, requires
from quizzes.answering.definitions import version_of
from quizzes.authoring.models import Quiz
from quizzes.companies.brand import Brand, brand_of
from quizzes.definition.texts import language_of, text_in
from shop.core.errors import NotFound, error_response
from shop.core.site_settings.logo import file_of

# The colours of a brand were checked on white paper, with white in them.
_STYLE = """@layer tokens{{:root{{--ground:#fff;--surface:#fff;--accent:{color};--accent-ink:#fff;\
--link:{accent}}}}}
"""
_LONG, _SHORT = 86_400, 300


def version_of_brand(brand: Brand) -> str:
    """Return what changes with the brand, for the addresses of its files."""
    return hashlib.sha256(msgspec.json.encode(brand)).hexdigest()[:12]


@require_safe
@requires(GET=OPEN)
def brand(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the style sheet of a quiz: the colours of its company."""
    found = _brand(slug)
    if found is None:
        return error_response(request, NotFound())
    style = _STYLE.format(color=found.color, accent=found.accent)
    return _file(request, style.encode(), "text/css")


@require_safe
@requires(GET=OPEN)
def logo(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the logo of a quiz's company, if it has one."""
    found = _brand(slug)
    if found is None or not found.logo:
        return error_response(request, NotFound())
    return _file(request, file_of(found.logo), "image/png")


@require_safe
@requires(GET=OPEN)
def embed(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the script that puts the quiz into a page of another site."""
    quiz = Quiz.objects.filter(slug=slug, version__isnull=False).only("version").first()
    if quiz is None:
        return error_response(request, NotFound())
    version = version_of(slug, quiz.version or 0)
    if version is None:
        return error_response(request, NotFound())
    languages = version.quiz.languages
    language = language_of(request.GET.get("lang", "")[:20], languages)
    context = {"title": json.dumps(text_in(version.quiz.title, language, languages))}
    response = render(request, "quizzes/player/embed.js", context, content_type="text/javascript")
    response["Cache-Control"] = f"public, max-age={_SHORT}"
    # Other sites' pages load it.
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@require_safe
@requires(GET=OPEN)
def worker(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the service worker of a quiz, whose scope is the quiz's address."""
    if not Quiz.objects.filter(slug=slug, version__isnull=False).exists():
        return error_response(request, NotFound())
    context = {"cache": cache_of(slug), "page": reverse("quiz_player", args=[slug])}
    response = render(request, "quizzes/player/worker.js", context, content_type="text/javascript")
    # A browser asks for it at each visit, so that a new one takes over.
    response["Cache-Control"] = "no-cache"
    return response


def cache_of(slug: str) -> str:
    """Return the name of the cache in which a device keeps the quiz's page."""
    return f"quiz-{slug}"


def _brand(slug: str) -> Brand | None:
    quiz = Quiz.objects.select_related("company").defer("draft").filter(slug=slug).first()
    return None if quiz is None else brand_of(quiz.company)


def _file(request: HttpRequest, content: bytes, kind: str) -> HttpResponseBase:
    response = HttpResponse(content, content_type=kind)
    # The pages' links name the version in their query.
    response["Cache-Control"] = f"public, max-age={_LONG if request.GET else _SHORT}"
    return response
