"""What the scripts of the player, and its plain pages, are given."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation

from quizzes.definition.structs import Quiz
from quizzes.definition.texts import direction, text_in
from quizzes.leads.services import consent_digest
from quizzes.pages.player.branding import cache_of
from quizzes.pages.player.texts import definition_of, html_of, pick
from quizzes.pages.player.words import spoken_for, words_in
from shop.core.languages import site_language
from shop.core.money import number

SOURCES = ("ref", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
SOURCE_MAX_LENGTH = 200


def data_of(request: HttpRequest, opened: Any, language: str) -> dict[str, Any]:
    """Return what the scripts need; they ask for nothing more until something is answered."""
    quiz, structure = opened.quiz, opened.structure
    api = reverse("api_q_quiz", args=[quiz.slug])
    return {
        "slug": quiz.slug,
        "version": opened.version.number if opened.version else 0,
        "attempt": str(opened.attempt),
        "preview": opened.version is None,
        "api": api,
        "address": reverse("quiz_player", args=[quiz.slug]) + _query_without_version(request),
        "definition": definition_of(structure),
        "words": {each: words_in(each) for each in structure.languages},
        "spoken": {each: spoken_for(each) for each in structure.languages},
        "directions": {each: direction(each) for each in structure.languages},
        "consents": {
            consent.key: {
                each: consent_digest(text_in(consent.text, each, structure.languages))
                for each in structure.languages
            }
            for consent in structure.contact.consents
        },
        "source": {
            name: value[:SOURCE_MAX_LENGTH]
            for name in SOURCES
            if (value := request.GET.get(name, "")) and value.isprintable()
        },
        "embed": list(quiz.embed),
        "solver": static("accounts/solving.js"),
        "page": reverse("quiz_player", args=[quiz.slug]),
        "offline": reverse("quiz_worker", args=[quiz.slug]),
        "cache": cache_of(quiz.slug),
        "worker": static("accounts/captcha-worker.js"),
    }


def _query_without_version(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("v", None)
    return f"?{query.urlencode()}" if query else ""


def contact_of(structure: Quiz, language: str) -> dict[str, Any] | None:
    """Return what the form of contact has; ``None`` for a quiz without one."""
    if structure.settings.contact == "none":
        return None
    contact = structure.contact
    text = pick(definition_of(structure)["contact"].get("text", {}), language, [])
    return {
        "text": html_of(text or []),
        "name": contact.name,
        "consents": [
            {
                "key": consent.key,
                "place": f"contact.consents.{n}.text",
                "text": text_in(consent.text, language, structure.languages),
                "sha256": consent_digest(text_in(consent.text, language, structure.languages)),
            }
            for n, consent in enumerate(contact.consents)
        ],
    }


def result_shown(structure: Quiz, result: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a result for a template: trees as HTML, and the score in words."""
    words = words_in(language)
    headline = result["headline"] or {"title": words["ready"], "text": []}
    told = result["band"] is not None and float(result["max"]) > 0 and result["headline"]
    kind = "points" if result["percent"] is None else "score"
    with translation.override(site_language(language)):
        numbers = {name: _number(result[name]) for name in ("points", "max", "percent")}
        parts = [{**each, "percent": _number(each["percent"])} for each in result["categories"]]
    return {
        **result,
        "title": headline["title"],
        "text": html_of(headline["text"]),
        "more": html_of(result["blocks"]),
        "score": words[kind].format_map(numbers) if told else "",
        "item": words["item"].format(item=result["item"]) if result["item"] else "",
        "categories": parts if result["headline"] else [],
    }


def _number(value: str | None) -> str | None:
    """Return a number as the reader writes it, without zeros at its end."""
    return None if value is None else number(Decimal(value).normalize())
