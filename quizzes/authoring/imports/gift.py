"""GIFT, the text format of Moodle.

Source: https://docs.moodle.org/en/GIFT_format. Essays, matchings and descriptions are left out,
and so are comments on answers, because quizzes have none of these.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import (
    Draft,
    Imported,
    Unusable,
    begin,
    clipped,
    number_of,
    unsupported,
)
from quizzes.authoring.imports.html_text import text_of
from quizzes.definition.numbers import plain

BLANK = "_____"
MAX_CORRECT = 200
# What follows a backslash stands for itself, so it is put aside until the parts are found.
_ASIDE = {"~": "\ue001", "=": "\ue002", "#": "\ue003", "{": "\ue004", "}": "\ue005"}
_ASIDE |= {":": "\ue006", "\\": "\ue007", "n": "\ue008"}
_BACK = str.maketrans({aside: mark for mark, aside in _ASIDE.items()} | {_ASIDE["n"]: "\n"})
_ESCAPED = re.compile(r"\\([~=#{}:\\n])")
_FORMAT = re.compile(r"\s*\[(html|moodle|plain|markdown)\]", re.IGNORECASE)
_WEIGHT = re.compile(r"\s*%(-?[0-9]{1,3}(?:[.,][0-9]{1,9})?)%")
_MARK = re.compile(r"[=~]")
_TAG = re.compile(r"</?(?:a|b|br|code|div|em|h[1-6]|i|img|li|ol|p|pre|span|strong|sub|sup|u|ul)\b")
_EMPHASIS = re.compile(r"\*\*|__|`")
_END = re.compile(r"[\s.,;:!?\"'”»)]*")
_TRUTHS = {"T": True, "TRUE": True, "F": False, "FALSE": False}


class _Answer(NamedTuple):
    """One answer: ``mark`` is ``=`` or ``~``, ``weight`` a percent, 100 or 0 if none is given."""

    mark: str
    weight: Decimal
    text: str
    format: str


def read(data: bytes, language: str) -> Imported:
    """Return what a GIFT file has of choices, truths, short answers and numbers."""
    draft, text = begin(data, language)
    for line, block in _blocks(text):
        draft.attempt(line, lambda line=line, block=block: _add(draft, line, block))  # type: ignore[misc]
    return draft.finish()


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the questions, each with the number of its first line.

    Blank lines part them. A question that is still open there goes on, if its end comes before
    another question begins.
    """
    blocks: list[tuple[int, list[str]]] = []
    ended = True
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if bare.startswith("//") or bare.upper().startswith("$CATEGORY"):
            continue
        if not bare:
            ended = True
        elif ended:
            blocks.append((number, [_put_aside(line)]))
            ended = False
        else:
            blocks[-1][1].append(_put_aside(line))
    # The number, the parts and the open brackets. Parts are joined once, because there may be many.
    waiting: tuple[int, list[str], int] | None = None
    for number, lines in blocks:
        block = "\n".join(lines)
        parts, opened = [block], block.count("{") - block.count("}")
        end, beginning = block.find("}"), block.find("{")
        if waiting is not None:
            if end >= 0 and (beginning < 0 or end < beginning):
                waiting[1].append(block)
                number, parts, opened = waiting[0], waiting[1], waiting[2] + opened
            elif beginning < 0:
                waiting[1].append(block)
                continue
            else:
                yield waiting[0], "\n".join(waiting[1])
            waiting = None
        if opened > 0:
            waiting = number, parts, opened
        else:
            yield number, "\n".join(parts)
    if waiting is not None:
        yield waiting[0], "\n".join(waiting[1])


def _put_aside(line: str) -> str:
    return _ESCAPED.sub(lambda match: _ASIDE[match[1]], line)


def _add(draft: Draft, line: int, block: str) -> None:
    name = ""
    block = block.strip()
    if block.startswith("::"):
        name, found, rest = block[2:].partition("::")
        if not found:
            raise Unusable("name", _("The name of the question has no end."))
        block = rest
    format, block = _formatted(block, "moodle")
    before, opened, rest = block.partition("{")
    if not opened:
        if "}" in before:
            raise Unusable("brackets", _("A bracket closes that was not opened."))
        raise unsupported(_("A text without answers"))
    inside, closed, after = rest.partition("}")
    if not closed or "{" in inside:
        raise Unusable("brackets", _("The bracket of the answers is not closed."))
    if "{" in after or "}" in after:
        raise unsupported(_("A question with several brackets"))
    inside, comment, _general = inside.partition("####")
    question = _question(draft, line, inside.strip(), format)
    title = clipped(_text(_with_blank(before, after), format))
    if not title:
        raise Unusable("no_question", _("There are answers and no question."))
    draft.add(clipped(_text(name, "plain")), question | {"title": draft.texts(title)})
    if comment or "#" in inside.removeprefix("#"):
        draft.note(line, "comments", _("Comments on answers were left out."))


def _with_blank(before: str, after: str) -> str:
    """Return the question with a blank where the answers stand in the middle of a sentence."""
    if not after.strip():
        return before
    if _END.fullmatch(after):
        ends = before.rstrip().endswith((".", "?", "!", ":"))
        return before if ends else f"{before.rstrip()} {BLANK}{after.strip()}"
    return f"{before.rstrip()} {BLANK} {after.lstrip()}"


def _question(draft: Draft, line: int, inside: str, format: str) -> dict[str, Any]:
    if not inside:
        raise unsupported(_("An essay"))
    if inside.startswith("#"):
        return _number(draft, line, inside[1:], format)
    truth = _TRUTHS.get(inside.partition("#")[0].strip().upper())
    if truth is not None:
        return {"type": "single", "options": draft.yes_and_no(truth)}
    answers = list(_answers(inside, format))
    if any(answer.mark == "~" for answer in answers):
        return _choice(draft, answers)
    if any("->" in answer.text for answer in answers):
        raise unsupported(_("A matching"))
    return _short(draft, line, answers)


def _answers(inside: str, format: str) -> Iterator[_Answer]:
    marks = [match.start() for match in _MARK.finditer(inside)]
    if not marks or inside[: marks[0]].strip():
        raise Unusable("answers", _("The answers begin with neither = nor ~."))
    for start, end in zip(marks, [*marks[1:], len(inside)], strict=True):
        yield _answer(inside[start], inside[start + 1 : end], format)


def _answer(mark: str, text: str, format: str) -> _Answer:
    text = text.partition("#")[0]
    weight = Decimal(100 if mark == "=" else 0)
    if match := _WEIGHT.match(text):
        weight, text = Decimal(match[1].replace(",", ".")), text[match.end() :]
    format, text = _formatted(text, format)
    return _Answer(mark, weight, clipped(_text(text, format)), format)


def _choice(draft: Draft, answers: list[_Answer]) -> dict[str, Any]:
    single = any(answer.mark == "=" for answer in answers)
    if len(answers) < 2:
        raise Unusable("too_few_options", _("There are fewer than two options."))
    if not any(answer.weight > 0 for answer in answers):
        raise Unusable("no_answer", _("No answer is right."))
    options = draft.options(answer.text for answer in answers)
    for answer, option in zip(answers, options, strict=True):
        if answer.weight:
            option["points"] = _points(answer.weight)
        if answer.weight == 100 or (not single and answer.weight > 0):
            option["correct"] = True
    return {"type": "single" if single else "multiple", "options": options}


def _points(weight: Decimal) -> int | str:
    text = plain((weight / 100).quantize(Decimal("0.001")))
    return text if "." in text else int(text)


def _short(draft: Draft, line: int, answers: list[_Answer]) -> dict[str, Any]:
    right = [answer.text for answer in answers if answer.weight == 100 and "*" not in answer.text]
    right = [text for text in dict.fromkeys(right) if text]
    if not right:
        raise Unusable("no_answer", _("No answer is right and without a wildcard."))
    if any(len(text) > MAX_CORRECT for text in right):
        raise Unusable(
            "too_long", _("An answer has more than %(n)s characters.") % {"n": MAX_CORRECT}
        )
    if any(answer.weight != 0 and answer.text not in right for answer in answers):
        draft.note(line, "partial", _("Answers with a part of the points were left out."))
    return {"type": "text", "correct": right, "points": 1}


def _number(draft: Draft, line: int, inside: str, format: str) -> dict[str, Any]:
    first = _MARK.search(inside)
    alone = inside[: first.start()] if first else inside
    found = [_answer("=", alone, format)] if alone.partition("#")[0].strip() else []
    found += _answers(inside[first.start() :], format) if first else []
    answers = [answer for answer in found if answer.text and answer.weight > 0]
    right = [answer for answer in answers if answer.weight == 100]
    if not right:
        raise Unusable("no_answer", _("No answer is right."))
    if len(answers) > 1:
        draft.note(line, "partial", _("Only the first right number was taken over."))
    correct, tolerance = _range(right[0].text)
    question = {"type": "number", "correct": correct, "points": 1}
    return question | ({"tolerance": tolerance} if tolerance else {})


def _range(text: str) -> tuple[int | str, int | str]:
    """Return the middle of what is right, and how far an answer may be from it."""
    low, is_range, high = text.partition("..")
    if not is_range:
        middle, _colon, distance = text.partition(":")
        return number_of(middle), number_of(distance or "0")
    least, most = Decimal(number_of(low)), Decimal(number_of(high))
    if least > most:
        raise Unusable("number", _("The range ends before it begins."))
    return number_of(plain((least + most) / 2)), number_of(plain((most - least) / 2))


def _formatted(text: str, format: str) -> tuple[str, str]:
    """Return the format that a text begins with, such as ``[html]``, and the text after it."""
    match = _FORMAT.match(text)
    return (match[1].lower(), text[match.end() :]) if match else (format, text)


def _text(text: str, format: str) -> str:
    """Return what a reader sees of a text in that format."""
    text = text.translate(_BACK)
    if format == "html" or (format == "moodle" and _TAG.search(text)):
        return text_of(text)
    return _EMPHASIS.sub("", text) if format == "markdown" else text
