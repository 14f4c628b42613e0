"""A table as shops have it: a line for each option, or for each question without options.

Columns, in any order: question, type, option, points, correct, category, outcome, and for numbers
tolerance. A line without a question goes on with the question above it.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import (
    Draft,
    Imported,
    Unusable,
    begin,
    clipped,
    number_of,
)
from quizzes.definition.problems import Invalid, Problem

MAX_QUOTED_LINES = 50
MAX_LINE = 20_000
_COLUMNS = {
    "question": ("question", "frage"),
    "type": ("type", "typ", "art"),
    "option": ("option", "answer", "antwort"),
    "points": ("points", "score", "punkte"),
    "correct": ("correct", "right", "richtig"),
    "category": ("category", "categories", "kategorie"),
    "outcome": ("outcome", "outcomes", "ergebnis"),
    "tolerance": ("tolerance", "toleranz"),
}
_NAMES = {name: column for column, names in _COLUMNS.items() for name in names}
_TRUE = frozenset({"1", "x", "true", "t", "yes", "y", "correct", "right", "ja", "wahr", "richtig"})
_FALSE = frozenset({"", "0", "-", "false", "f", "no", "n", "wrong", "nein", "falsch"})

Row = Mapping[str, str]


@dataclass
class _Question:
    line: int
    rows: list[Row] = field(default_factory=list)


def read(data: bytes, language: str) -> Imported:
    """Return the questions of a table. Raise ``Invalid`` if it has no column of questions."""
    draft, text = begin(data, language)
    lines = text.split("\n")
    heading = next((n for n, line in enumerate(lines) if line.strip()), 0)
    delimiter = max(",;\t", key=lines[heading].count)
    names = [_NAMES.get(cell.strip().lower(), "") for cell in _cells(lines[heading], delimiter)]
    if "question" not in names:
        detail = _("The first line has no column “question”.")
        raise Invalid([Problem("no_columns", detail)])
    found: list[_Question] = []
    for line, record in _records(draft, lines, heading + 1):
        try:
            row = dict(zip(names, (c.strip() for c in _cells(record, delimiter)), strict=False))
        except csv.Error:
            draft.skip(line, "line", _("This line cannot be read."))
            continue
        if not any(row.values()):
            continue
        if not found or row["question"] not in ("", found[-1].rows[0]["question"]):
            found.append(_Question(line))
        found[-1].rows.append(row)
    for question in found:
        draft.attempt(question.line, lambda one=question: _add(draft, one))  # type: ignore[misc]
    return draft.finish()


def _cells(record: str, delimiter: str) -> list[str]:
    return next(csv.reader([record[:MAX_LINE]], delimiter=delimiter), [])


def _records(draft: Draft, lines: list[str], start: int) -> Iterator[tuple[int, str]]:
    """Yield records with their line numbers. A quote that nothing closes loses one line only."""
    place = start
    while place < len(lines):
        record, end = lines[place], place + 1
        while record.count('"') % 2 and end < min(len(lines), place + MAX_QUOTED_LINES):
            record, end = f"{record}\n{lines[end]}", end + 1
        if record.count('"') % 2:
            draft.skip(place + 1, "quote", _("A quotation mark is not closed."))
            place += 1
            continue
        if len(record) > MAX_LINE:
            detail = _("A line has more than %(n)s characters.") % {"n": MAX_LINE}
            draft.skip(place + 1, "too_long", detail)
        else:
            yield place + 1, record
        place = end


def _add(draft: Draft, question: _Question) -> None:
    first = question.rows[0]
    title = clipped(first["question"])
    if not title:
        raise Unusable("no_question", _("There are options and no question."))
    kind = first.get("type", "").lower() or _kind_of(question.rows)
    make = _KINDS.get(kind)
    if make is None:
        raise Unusable(
            "unsupported", _("There is no type %(kind)s of questions.") % {"kind": kind[:40]}
        )
    made = {"type": _TYPES.get(kind, kind), "title": draft.texts(title), **make(draft, question)}
    if kind != "info" and (categories := _names(first.get("category", ""))):
        made["categories"] = list(dict.fromkeys(draft.category(name) for name in categories))
    draft.add("", made)


def _kind_of(rows: list[Row]) -> str:
    if len(rows) == 1 and not rows[0].get("option"):
        return "text" if rows[0].get("correct") else "info"
    return "multiple" if sum(_is_right(row) for row in rows) > 1 else "single"


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.replace("|", ";").split(";") if name.strip()]


def _is_right(row: Row) -> bool:
    text = row.get("correct", "").lower()
    if text not in _TRUE and text not in _FALSE:
        raise Unusable("correct", _("“%(text)s” is neither yes nor no.") % {"text": text[:40]})
    return text in _TRUE


def _choice(draft: Draft, question: _Question) -> dict[str, Any]:
    rows = [row for row in question.rows if row.get("option")]
    if len(rows) < 2:
        raise Unusable("too_few_options", _("There are fewer than two options."))
    options = draft.options(row["option"] for row in rows)
    for row, option in zip(rows, options, strict=True):
        right = _is_right(row)
        points = number_of(row["points"]) if row.get("points") else int(right)
        option |= {"points": points} if points else {}
        option |= {"correct": True} if right else {}
        if weights := _weights(row.get("outcome", "")):
            option["outcomes"] = {draft.outcome(name): worth for name, worth in weights.items()}
    return {"options": options}


def _weights(cell: str) -> dict[str, int | str]:
    """Return the outcomes of a cell such as ``espresso: 2; filter``; each weighs 1 by itself."""
    weights: dict[str, int | str] = {}
    for each in _names(cell):
        name, colon, worth = each.rpartition(":")
        if colon and name.strip():
            weights[name.strip()] = number_of(worth)
        else:
            weights[each] = 1
    return weights


def _scale(draft: Draft, question: _Question) -> dict[str, Any]:
    low, _dots, high = (question.rows[0].get("option") or "1..5").partition("..")
    try:
        ends = {"from": int(low), "to": int(high)}
    except ValueError:
        raise Unusable("scale", _("Write the steps of a scale as 1..5.")) from None
    return ends


def _number(draft: Draft, question: _Question) -> dict[str, Any]:
    row = question.rows[0]
    if not row.get("correct"):
        return {}
    made = {"correct": number_of(row["correct"]), "points": number_of(row.get("points") or "1")}
    return made | ({"tolerance": number_of(row["tolerance"])} if row.get("tolerance") else {})


def _text(draft: Draft, question: _Question) -> dict[str, Any]:
    right = [name for row in question.rows for name in _names(row.get("correct", ""))]
    if not right:
        return {}
    return {"correct": right, "points": number_of(question.rows[0].get("points") or "1")}


def _info(draft: Draft, question: _Question) -> dict[str, Any]:
    return {}


_Maker = Callable[[Draft, _Question], dict[str, Any]]
_KINDS: dict[str, _Maker] = {
    "single": _choice,
    "multiple": _choice,
    "scale": _scale,
    "number": _number,
    "text": _text,
    "info": _info,
    "choice": _choice,
    "checkbox": _choice,
}
_TYPES = {"choice": "single", "checkbox": "multiple"}
