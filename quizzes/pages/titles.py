"""What a quiz calls its parts, in the reader's language, for pages that would show their keys."""

from collections.abc import Mapping

from django.utils.translation import get_language, get_language_info

from quizzes.definition.structs import Quiz
from quizzes.definition.texts import language_of, text_in


def title_in(whole: Quiz, part: str, key: str) -> str:
    """Return the title of an outcome, a band, a category or a question; its key without one."""
    found = next((each for each in getattr(whole, part) if each.key == key), None)
    return key if found is None else words_in(whole, found.title) or key


def band_in(whole: Quiz, category: str, key: str | None) -> str:
    """Return the title of a category's band; its key without one, and nothing for none."""
    bands = next((each.bands for each in whole.categories if each.key == category), ())
    found = next((each for each in bands if each.key == key), None)
    return key or "" if found is None else words_in(whole, found.title) or found.key


def words_in(whole: Quiz, texts: Mapping[str, str]) -> str:
    """Return one of a quiz's texts in the reader's language, if it has that."""
    return text_in(texts, language_of(get_language() or "", whole.languages), whole.languages)


def language_name(code: str) -> str:
    """Return what the reader calls a language; its code where nobody knows that."""
    try:
        return str(get_language_info(code.lower())["name_translated"])
    except KeyError:
        return code
