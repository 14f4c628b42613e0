"""Aiken: a question, lettered options, and ``ANSWER: B``.

Source: https://docs.moodle.org/en/Aiken_format.
"""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import Draft, Imported, Unusable, begin, clipped

_OPTION = re.compile(r"([A-Za-z])[.)]\s*(.*)")
_ANSWER = re.compile(r"ANSWERS?\s*:\s*(.*)", re.IGNORECASE)
_LETTERS = re.compile(r"[A-Za-z](?:[\s,;]+[A-Za-z])*[.)]?")


@dataclass
class _Question:
    line: int
    text: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


def read(data: bytes, language: str) -> Imported:
    """Return the single and multiple choices of an Aiken file."""
    draft, text = begin(data, language)
    open_: _Question | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line:
            continue
        open_ = open_ or _Question(number)
        if answer := _ANSWER.fullmatch(line):
            _finish(draft, open_, answer[1])
            open_ = None
        elif (option := _OPTION.fullmatch(line)) and _is_next(option[1], open_):
            open_.options[option[1].upper()] = option[2]
        else:
            if open_.options:
                _finish(draft, open_, None)
                open_ = _Question(number)
            open_.text.append(line)
    if open_ is not None:
        _finish(draft, open_, None)
    return draft.finish()


def _is_next(letter: str, question: _Question) -> bool:
    """Return whether an option may have this letter: "I. Newton wrote …" begins a question."""
    return letter.upper() == chr(ord("A") + len(question.options))


def _finish(draft: Draft, question: _Question, answer: str | None) -> None:
    draft.attempt(question.line, lambda: _add(draft, question, answer))


def _add(draft: Draft, question: _Question, answer: str | None) -> None:
    title = clipped(" ".join(question.text))
    if not title:
        raise Unusable("no_question", _("There are options and no question."))
    if len(question.options) < 2:
        raise Unusable("too_few_options", _("There are fewer than two options."))
    if answer is None:
        raise Unusable("no_answer", _("There is no line that begins with ANSWER."))
    letters = re.findall(r"[A-Z]", answer.upper()) if _LETTERS.fullmatch(answer.strip()) else []
    right = set(letters)
    if not right or not right <= set(question.options):
        raise Unusable("no_answer", _("The answer is not the letter of an option."))
    options = draft.options(question.options.values())
    for letter, option in zip(question.options, options, strict=True):
        if letter in right:
            option |= {"correct": True} if len(right) > 1 else {"points": 1, "correct": True}
    if len(right) > 1:
        rule = {"type": "multiple", "rule": "exact", "points": 1}
        draft.add("", {**rule, "title": draft.texts(title), "options": options})
    else:
        draft.add("", {"type": "single", "title": draft.texts(title), "options": options})
