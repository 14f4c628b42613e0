"""A result as its respondent sees it. It depends on the result's row and version only."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import translation

from quizzes.answering.models import Result
from quizzes.answering.sealed import RESULT, opened
from quizzes.definition.markdown import blocks
from quizzes.definition.numbers import plain
from quizzes.definition.structs import (
    AnyQuestion,
    Asked,
    Band,
    Multiple,
    NumberQuestion,
    Quiz,
    Scale,
    Single,
    TextQuestion,
    When,
)
from quizzes.definition.texts import filler, language_of, text_in
from quizzes.scoring.points import chosen, is_correct
from quizzes.scoring.result import rounded
from shop.core.languages import site_language
from shop.core.money import number
from shop.core.times import iso

GATED = "before_result"
"""The setting of quizzes whose respondents leave an address before they see the result."""


def is_gated(quiz: Quiz) -> bool:
    """Return whether a respondent sees the result only after leaving an address."""
    return quiz.settings.contact == GATED


def result_represent(
    quiz: Quiz,
    slug: str,
    number: int,
    result: Result,
    *,
    pdf: str = "queued",
    language: str = "",
    name: str = "",
) -> dict[str, Any]:
    """Return the result in JSON's types, in the respondent's language unless another is given.

    ``name`` is that of a confirmed lead, for the placeholder. Raise ``Unsealable`` where the key of
    the respondent's texts is not here.
    """
    language = language_of(language or result.language, quiz.languages)
    view = _View(quiz, result, language, name)
    return {
        "id": str(result.attempt_id),
        "quiz": slug,
        "version": number,
        "language": language,
        "finished_at": iso(result.finished_at),
        "points": plain(result.points),
        "max": plain(result.max),
        "percent": rounded(result.percent),
        "band": result.band or None,
        "outcome": result.outcome or None,
        "tied_with": list(result.tied),
        "categories": view.categories(),
        "headline": view.headline(),
        "blocks": view.blocks(),
        "item": view.item(),
        "answers": view.answers(),
        "contact": quiz.settings.contact,
        "late": result.late,
        "pdf": pdf,
    }


def without_content(represented: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a respondent is told of a result before leaving an address: only figures."""
    return {
        **represented,
        **dict.fromkeys(("band", "outcome", "headline", "item")),
        **{name: [] for name in ("tied_with", "blocks", "answers")},
        "categories": [{**each, "band": None} for each in represented["categories"]],
    }


class _View:
    """The texts of one result in one language."""

    def __init__(self, quiz: Quiz, result: Result, language: str, name: str) -> None:
        self._quiz = quiz
        self._result = result
        self._language = language
        self._bands = {band.key: band for band in quiz.bands}
        self._outcomes = {outcome.key: outcome for outcome in quiz.outcomes}
        self._categories = {one["key"]: one for one in result.categories}
        self._name = name
        self._fill = filler(self._value)

    def _text(self, texts: Mapping[str, str]) -> str:
        return text_in(texts, self._language, self._quiz.languages)

    def _number(self, text: str) -> str:
        # Only a point is written otherwise in another language.
        if "." not in text:
            return text
        with translation.override(site_language(self._language)):
            return number(plain(Decimal(text)))

    def _value(self, placeholder: str) -> str:
        """Return what stands for a placeholder: nothing for one that is not known."""
        result = self._result
        match placeholder.split("."):
            case ["points" | "max" as name]:
                return self._number(plain(getattr(result, name)))
            case ["percent"]:
                return self._number(rounded(result.percent) or "")
            case ["band"]:
                return self._band_title(self._bands.get(result.band))
            case ["outcome"]:
                outcome = self._outcomes.get(result.outcome)
                return self._text(outcome.title) if outcome else ""
            case ["name"]:
                return self._name
            case ["category", key, "percent"]:
                return self._number(self._categories.get(key, {}).get("percent") or "")
            case ["category", key, "band"]:
                reached = self._categories.get(key, {}).get("band")
                bands = (b for c in self._quiz.categories if c.key == key for b in c.bands)
                return self._band_title(next((b for b in bands if b.key == reached), None))
        return ""

    def _band_title(self, band: Band | None) -> str:
        return "" if band is None else self._text(band.title) or band.key

    def _tree(self, texts: Mapping[str, str]) -> list[dict[str, Any]]:
        return blocks(self._text(texts), self._fill)

    def headline(self) -> dict[str, Any]:
        """Return the title and the text of the outcome or of the band, as the quiz says."""
        found: Any = self._bands.get(self._result.band)
        if self._quiz.settings.headline == "outcome":
            found = self._outcomes.get(self._result.outcome)
        if found is None:
            return {"title": self._text(self._quiz.title), "text": []}
        return {"title": self._text(found.title), "text": self._tree(found.text)}

    def blocks(self) -> list[dict[str, Any]]:
        """Return the blocks whose conditions hold, in the author's order."""
        return [
            block
            for part in self._quiz.result.blocks
            if self._holds(part.when)
            for block in self._tree(part.text)
        ]

    def _holds(self, when: When) -> bool:
        band: str | None = self._result.band
        if when.category is not None:
            band = self._categories.get(when.category, {}).get("band")
        return (when.band is None or band in when.band) and (
            when.outcome is None or self._result.outcome in when.outcome
        )

    def categories(self) -> list[dict[str, Any]]:
        """Return the score of each category, with its title."""
        titles = {category.key: self._text(category.title) for category in self._quiz.categories}
        # PostgreSQL keeps the members of an object in an order of its own.
        return [
            {
                "key": kept["key"],
                "title": titles[kept["key"]],
                "percent": kept["percent"],
                "band": kept["band"],
            }
            for kept in self._result.categories
        ]

    def item(self) -> str | None:
        """Return the item of the shop that the outcome names."""
        outcome = self._outcomes.get(self._result.outcome)
        return None if outcome is None else outcome.item

    def answers(self) -> list[dict[str, Any]]:
        """Return the questions on the path, each with its answer in words."""
        texts = opened(self._result.private, self._result.attempt_id, RESULT)
        shown = set(self._result.path)
        return [
            self._answer(question, texts)
            for question in self._quiz.questions
            if question.key in shown and isinstance(question, Asked)
        ]

    def _answer(self, question: AnyQuestion, texts: Mapping[str, str]) -> dict[str, Any]:
        value = self._result.answers.get(question.key)
        tells = self._quiz.settings.reveal == "result"
        return {
            "key": question.key,
            "title": self._text(question.title),
            "answer": self._words(question, value, texts),
            "correct": is_correct(question, value) if tells else None,
        }

    def _words(self, question: AnyQuestion, value: Any, texts: Mapping[str, str]) -> str | None:
        match question:
            case TextQuestion():
                return texts.get(question.key)
            case Single() | Multiple() if value is not None:
                return ", ".join(self._text(option.title) for option in chosen(question, value))
            case Scale() if value is not None:
                return str(value)
            case NumberQuestion() if value is not None:
                unit = self._text(question.unit)
                return f"{self._number(str(value))} {unit}".strip()
        return None


def kept_categories(categories: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the scores of categories as a result's row keeps them."""
    return [
        {"key": one.key, "percent": rounded(one.percent), "band": one.band} for one in categories
    ]
