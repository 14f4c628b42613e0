"""Texts in the respondent's language, and the placeholders in them."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

_PLACEHOLDER = re.compile(r"\{\{ ?([^{}]{0,100}?) ?\}\}")
_SIMPLE = frozenset({"points", "max", "percent", "band", "outcome", "name"})
_CATEGORY = re.compile(r"category\.([a-z][a-z0-9_]{0,39})\.(percent|band)")


def language_of(wanted: str, languages: Sequence[str]) -> str:
    """Return the language of a quiz that serves somebody who wants this one, else its first."""
    if wanted in languages:
        return wanted
    base = wanted.split("-")[0].lower()
    return next((one for one in languages if one.split("-")[0] == base), languages[0])


def text_in(texts: Mapping[str, str], language: str, languages: Sequence[str]) -> str:
    """Return a text in a language; else in the first of the quiz's languages that it has."""
    if language in texts:
        return texts[language]
    return next((texts[one] for one in languages if one in texts), "")


def placeholders(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each placeholder of a text, and the category that it names, if it names one."""
    for match in _PLACEHOLDER.finditer(text):
        category = _CATEGORY.fullmatch(match[1])
        yield match[1], category[1] if category else None


def is_known(placeholder: str) -> bool:
    """Return whether there is such a placeholder. Which categories there are is not looked at."""
    return placeholder in _SIMPLE or _CATEGORY.fullmatch(placeholder) is not None


def filler(value_of: Callable[[str], str]) -> Callable[[str], str]:
    """Return what replaces placeholders by their values."""
    return lambda text: _PLACEHOLDER.sub(lambda match: value_of(match[1]), text)


def text_sha256(text: str) -> str:
    """Return the SHA-256 of the literal text, in hex: what a consent is recorded with."""
    return hashlib.sha256(text.encode()).hexdigest()


def direction(language: str) -> str:
    """Return ``rtl`` for a language that is written from right to left, else ``ltr``."""
    return "rtl" if language.split("-")[0] in _RIGHT_TO_LEFT else "ltr"


_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
