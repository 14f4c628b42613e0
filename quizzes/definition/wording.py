"""The texts of a definition: complete in each language, and in letters that its PDF can show."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from documents.measure import glyphs
from quizzes.definition.problems import Problem
from quizzes.definition.structs import Choice, NumberQuestion, Quiz, Scale
from quizzes.definition.texts import is_known, placeholders
from shop.core.text import printable


class Wording(NamedTuple):
    """Texts, and where they are. Those of results may have placeholders and must not be empty."""

    place: str
    texts: Mapping[str, str]
    needed: bool = True
    of_result: bool = False


def wordings(quiz: Quiz) -> Iterator[Wording]:
    """Yield all texts of a definition."""
    yield Wording("title", quiz.title)
    yield Wording("intro", quiz.intro, needed=False)
    headline = quiz.settings.headline == "band"
    for n, band in enumerate(quiz.bands):
        yield Wording(f"bands.{n}.title", band.title, needed=headline)
        yield Wording(f"bands.{n}.text", band.text, needed=False, of_result=True)
    for n, category in enumerate(quiz.categories):
        yield Wording(f"categories.{n}.title", category.title)
        for m, band in enumerate(category.bands):
            place = f"categories.{n}.bands.{m}"
            yield Wording(f"{place}.title", band.title, needed=False)
            yield Wording(f"{place}.text", band.text, needed=False, of_result=True)
    for n, outcome in enumerate(quiz.outcomes):
        yield Wording(f"outcomes.{n}.title", outcome.title)
        yield Wording(f"outcomes.{n}.text", outcome.text, needed=False, of_result=True)
    for n, question in enumerate(quiz.questions):
        place = f"questions.{n}"
        yield Wording(f"{place}.title", question.title)
        yield Wording(f"{place}.text", question.text, needed=False)
        if isinstance(question, Choice):
            for m, option in enumerate(question.options):
                yield Wording(f"{place}.options.{m}.title", option.title)
        if isinstance(question, Scale):
            for label, texts in question.labels.items():
                yield Wording(f"{place}.labels.{label}", texts)
        if isinstance(question, NumberQuestion):
            yield Wording(f"{place}.unit", question.unit, needed=False)
    yield Wording("contact.text", quiz.contact.text, needed=False)
    for n, consent in enumerate(quiz.contact.consents):
        yield Wording(f"contact.consents.{n}.text", consent.text)
    for n, block in enumerate(quiz.result.blocks):
        yield Wording(f"result.blocks.{n}.text", block.text, of_result=True)


def errors(quiz: Quiz) -> Iterator[Problem]:
    """Yield texts that are missing in a language, or that a result could not show."""
    categories = {category.key for category in quiz.categories}
    for wording in wordings(quiz):
        if wording.needed or wording.texts:
            for language in quiz.languages:
                if not wording.texts.get(language, "").strip():
                    detail = f"The text in {language} is missing."
                    yield Problem("text_missing", detail, f"{wording.place}.{language}")
        for language, text in wording.texts.items():
            where = f"{wording.place}.{language}"
            if language not in quiz.languages:
                yield Problem("unknown_language", "The quiz is not in this language.", where)
            if not printable(text.replace("\n", "").replace("\t", "")):
                yield Problem("characters", "The text has control characters.", where)
            if lacking := _without_glyph(text):
                detail = f"The PDF has no letters for these characters: {' '.join(lacking)}"
                yield Problem("glyphs", detail, where)
            if wording.of_result:
                yield from _placeholders(text, where, categories)


def warnings(quiz: Quiz) -> Iterator[Problem]:
    """Yield placeholders where nothing replaces them, and results without a word of their own."""
    for wording in wordings(quiz):
        for language, text in wording.texts.items():
            if not wording.of_result and any(placeholders(text)):
                detail = "Only texts of the result have placeholders."
                yield Problem("placeholder", detail, f"{wording.place}.{language}")
    for n, outcome in enumerate(quiz.outcomes):
        if not outcome.text:
            yield Problem("no_text", "This outcome has no text.", f"outcomes.{n}.text")


def _placeholders(text: str, where: str, categories: set[str]) -> Iterator[Problem]:
    for name, category in placeholders(text):
        if not is_known(name):
            yield Problem("placeholder", f"There is no placeholder {name}.", where)
        elif category is not None and category not in categories:
            yield Problem("placeholder", f"There is no category {category}.", where)


def _without_glyph(text: str) -> list[str]:
    """Return the characters that no font of the documents has, at most ten of them."""
    if text.isascii():
        return []
    known = glyphs().fonts
    lacking = {
        char
        for char in unicodedata.normalize("NFC", text)
        if char not in known
        and not char.isspace()
        and unicodedata.category(char) not in ("Cc", "Cf", "Mn", "Mc", "Me")
    }
    return sorted(lacking)[:10]
