"""What all importers share: how a definition grows by questions, and how texts become keys."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from quizzes.definition.checks import (
    MAX_CATEGORIES,
    MAX_OPTIONS,
    MAX_OUTCOMES,
    MAX_QUESTIONS,
)
from quizzes.definition.numbers import exact
from quizzes.definition.structs import FORMAT

MAX_TITLE = 1000
MAX_NAMED = 200
_NO_KEY = re.compile(r"[^a-z0-9]+")

YES, NO, YOUR_RESULT, IMPORTED = "yes", "no", "result", "imported"
# Texts of the respondents' language, which need not be one of the site's.
_WORDS = {
    "en": {YES: "True", NO: "False", YOUR_RESULT: "Your result", IMPORTED: "Imported quiz"},
    "de": {YES: "Richtig", NO: "Falsch", YOUR_RESULT: "Ihr Ergebnis", IMPORTED: "Neues Quiz"},
}


class Skipped(NamedTuple):
    """Something of a file that is not in the quiz: where, a stable code, and a sentence."""

    line: int | None
    code: str
    detail: str


class Imported(NamedTuple):
    """A definition that may be saved as a draft.

    ``skipped`` are the questions that were left out. ``notes`` are parts that were left out of
    questions which are there.
    """

    definition: Any
    questions: int
    skipped: list[Skipped]
    notes: list[Skipped]


class Unusable(ValueError):
    """A question cannot be taken over, and the others can."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def unsupported(what: str) -> Unusable:
    """Return the fault of a question whose kind quizzes do not have."""
    return Unusable("unsupported", _("%(what)s cannot be imported.") % {"what": what})


@dataclass
class Draft:
    """A definition in the making."""

    language: str
    title: str = ""
    languages: list[str] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    categories: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[Skipped] = field(default_factory=list)

    def texts(self, text: str) -> dict[str, str]:
        """Return the text as it stands in a definition."""
        return {self.language: text}

    def skip(self, line: int | None, code: str, detail: str) -> None:
        """Tell that a question is not taken over."""
        if len(self.skipped) < MAX_NAMED:
            self.skipped.append(Skipped(line, code, detail))

    def note(self, line: int | None, code: str, detail: str) -> None:
        """Tell that a part of a question is not taken over."""
        if len(self.notes) < MAX_NAMED:
            self.notes.append(Skipped(line, code, detail))

    def attempt(self, line: int | None, make: Callable[[], None]) -> None:
        """Make a question; if it cannot be taken over, tell why, and leave nothing of it."""
        before = dict(self.outcomes), dict(self.categories), list(self.notes)
        try:
            make()
        except Unusable as fault:
            self.outcomes, self.categories, self.notes = before
            self.skip(line, fault.code, fault.detail)

    def add(self, name: str, question: dict[str, Any]) -> None:
        """Add a question under a key that is made from ``name``. Raise ``Unusable``."""
        if len(self.questions) >= MAX_QUESTIONS:
            raise Unusable(
                "too_many", _("A quiz has at most %(n)s questions.") % {"n": MAX_QUESTIONS}
            )
        taken = {each["key"] for each in self.questions}
        key = key_of(name, taken, f"q{len(self.questions) + 1}")
        self.questions.append({"key": key, **question})

    def finish(self) -> Imported:
        """Return the definition with a headline for its results."""
        title = clipped(self.title) or self.word(IMPORTED)
        definition: dict[str, Any] = {
            "format": FORMAT,
            "languages": self.languages or [self.language],
            "title": self._in_all(title),
        }
        if self.outcomes:
            definition["settings"] = {"headline": "outcome"}
            definition["outcomes"] = list(self.outcomes.values())
            definition["fallback"] = next(iter(self.outcomes))
        else:
            name = {each: self.word(YOUR_RESULT, each) for each in definition["languages"]}
            definition["bands"] = [{"key": "all", "from": 0, "title": name}]
        if self.categories:
            definition["categories"] = list(self.categories.values())
        definition["questions"] = self.questions
        return Imported(definition, len(self.questions), self.skipped, self.notes)

    def word(self, name: str, language: str = "") -> str:
        """Return one of the few texts that importers add, in a language of the quiz."""
        base = (language or self.language).split("-")[0]
        return _WORDS.get(base, _WORDS["en"])[name]

    def _in_all(self, text: str) -> dict[str, str]:
        return dict.fromkeys(self.languages or [self.language], text)

    def outcome(self, name: str) -> str:
        """Return the key of the outcome with this name, which is made if it is new."""
        return self._named(self.outcomes, name, MAX_OUTCOMES)

    def category(self, name: str) -> str:
        """Return the key of the category with this name, which is made if it is new."""
        return self._named(self.categories, name, MAX_CATEGORIES)

    def _named(self, found: dict[str, dict[str, Any]], name: str, most: int) -> str:
        name = clipped(name)
        for key, each in found.items():
            if each["title"][self.language] == name or key == name:
                return key
        if len(found) >= most:
            detail = _("There are more than %(n)s outcomes or categories.") % {"n": most}
            raise Unusable("too_many", detail)
        key = key_of(name, set(found), f"r{len(found) + 1}")
        found[key] = {"key": key, "title": self.texts(name)}
        return key

    def options(self, titles: Iterable[str]) -> list[dict[str, Any]]:
        """Return options with these titles, whose keys are made from them. Raise ``Unusable``."""
        options: list[dict[str, Any]] = []
        taken: set[str] = set()
        for title in titles:
            may_have_another(options)
            key = key_of(title[:60], taken, f"o{len(options) + 1}", most=24)
            taken.add(key)
            options.append({"key": key, "title": self.texts(clipped(title))})
        return options

    def yes_and_no(self, right: bool, points: Any = 1) -> list[dict[str, Any]]:
        """Return the options of a statement that is true or false, with points for the right."""
        options: list[dict[str, Any]] = [
            {"key": "true", "title": self.texts(self.word(YES))},
            {"key": "false", "title": self.texts(self.word(NO))},
        ]
        options[0 if right else 1] |= {"points": points, "correct": True}
        return options


def may_have_another(options: Sequence[Any]) -> None:
    """Raise ``Unusable`` if a question has all the options that it may have.

    It is asked before each option is made, because a file may have a hundred thousand.
    """
    if len(options) >= MAX_OPTIONS:
        raise Unusable("too_many", _("A question has at most %(n)s options.") % {"n": MAX_OPTIONS})


def key_of(text: str, taken: set[str], otherwise: str, most: int = 40) -> str:
    """Return a key that reads like the text and is not taken; ``otherwise`` if it has no letters.

    Source: keys are ``[a-z][a-z0-9_]{0,39}``.
    """
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode().lower()
    key = _NO_KEY.sub("_", plain).strip("_")[:most].strip("_")
    if not key or not key[0].isalpha():
        key = f"{otherwise[0]}_{key}"[:most].strip("_") if key else otherwise
    base, number = key, 1
    while key in taken:
        number += 1
        key = f"{base[: most - len(str(number)) - 1]}_{number}"
    return key


def clipped(text: str) -> str:
    """Return the text on one line. Raise ``Unusable`` if it is too long."""
    text = " ".join(text.split())
    if len(text) > MAX_TITLE:
        raise Unusable("too_long", _("A text has more than %(n)s characters.") % {"n": MAX_TITLE})
    return text


def number_of(text: str) -> int | str:
    """Return a number, as typed in English or German, as it stands in a definition.

    Raise ``Unusable`` if it is none, or has more than three decimals.
    """
    written = text.strip().replace(",", ".").removeprefix("+")
    if written.startswith("."):
        written = f"0{written}"
    try:
        exact(written)
    except ValueError:
        detail = _("“%(text)s” is no number with at most 9 digits and 3 decimals.")
        raise Unusable("number", detail % {"text": text.strip()[:40]}) from None
    return int(written) if written.lstrip("-").isdigit() else written


def decoded(data: bytes) -> tuple[str, bool]:
    """Return the text of a file, with line feeds only, and whether its encoding was guessed."""
    guessed = False
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text, guessed = data.decode("cp1252", "replace"), True
    # A zero cannot be stored, and stands in no text.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""), guessed


def begin(data: bytes, language: str) -> tuple[Draft, str]:
    """Return an empty draft, and the text of a file."""
    draft = Draft(language)
    text, guessed = decoded(data)
    if guessed:
        draft.note(None, "encoding", _("The file is not in UTF-8 and was read as Windows-1252."))
    return draft, text
