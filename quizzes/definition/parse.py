"""From JSON to a ``Quiz``, or to everything that is wrong with its shape."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from quizzes.definition.numbers import Number, exact
from quizzes.definition.problems import Invalid, Problem
from quizzes.definition.structs import (
    MAX_BYTES,
    AnyQuestion,
    Band,
    Block,
    Category,
    ConsentAsked,
    Contact,
    Option,
    Outcome,
    Quiz,
    ResultPage,
    Settings,
)

MAX_PROBLEMS = 100
MAX_LEVELS = 40
"""Three times as many as a definition that can be published has."""
TOO_DEEP = Problem("too_deep", "This is nested too deeply.")

# The lists whose elements are looked at one by one, so that each tells its own fault.
_PARTS: dict[str, Any] = {
    "questions": AnyQuestion,
    "options": Option,
    "outcomes": Outcome,
    "categories": Category,
    "bands": Band,
    "blocks": Block,
    "consents": ConsentAsked,
}
_GROUPS: dict[str, Any] = {"settings": Settings, "contact": Contact, "result": ResultPage}
_PLACE = re.compile(r"(?s)(.*) - at `(?:key in )?\$(.*)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_KEY = re.compile(r"Expected `str` matching regex .*0,39.*")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def parse(data: bytes | Any) -> Quiz:
    """Return the quiz that the JSON bytes, or what they decode to, define.

    Raise ``Invalid`` with what is wrong with its shape: at least one problem of each part. Whether
    it can be published is another question, which ``checks.check`` answers.
    """
    if isinstance(data, bytes):
        data = decoded(data)
    if is_too_deep(data):
        raise Invalid([TOO_DEEP])
    try:
        return _convert(data, Quiz)
    except msgspec.ValidationError:
        # Each once. A definition of nothing but faults is not read to its end.
        found: dict[Problem, None] = {}
        for problem in _problems(data, Quiz, ""):
            found[problem] = None
            if len(found) == MAX_PROBLEMS:
                break
        raise Invalid([*found]) from None


def is_too_deep(data: Any) -> bool:
    """Return whether there are more levels in it than whatever walks through it can take."""
    level = [data]
    for _ in range(MAX_LEVELS):
        level = [
            inside
            for part in level
            if isinstance(part, dict | list)
            for inside in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return False
    return True


def decoded(data: bytes) -> Any:
    """Return what the JSON of a definition decodes to; its numbers are ``Decimal`` or ``int``."""
    if len(data) > MAX_BYTES:
        raise Invalid([Problem("too_large", f"A definition has at most {MAX_BYTES // 1024} KiB.")])
    try:
        return _json().decode(data)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
        raise Invalid([Problem("parse_error", "This is not JSON.")]) from None


@cache
def _json() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(float_hook=Decimal)


def _convert(data: Any, kind: Any) -> Any:
    return msgspec.convert(data, kind, dec_hook=_number)


def _number(kind: type, value: Any) -> Number:
    return Number(exact(value))


def _problems(data: Any, kind: Any, place: str) -> Iterator[Problem]:
    """Yield the fault of a part's own fields, and those of each part inside it."""
    shell = data
    if isinstance(data, dict):
        shell = dict(data)
        for name, value in data.items():
            if kind is Quiz and name in _GROUPS:
                yield from _problems(value, _GROUPS[name], f"{place}{name}.")
                del shell[name]
            elif _is_list_of_parts(name, value):
                for index, element in enumerate(value):
                    yield from _problems(element, _PARTS[name], f"{place}{name}.{index}.")
                shell[name] = []
        # msgspec tells of the first field that is missing only.
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                if field.required and field.encode_name not in data:
                    message = f"Object missing required field `{field.encode_name}`"
                    yield problem_of(message, place)
    try:
        _convert(shell, kind)
    except msgspec.ValidationError as error:
        yield problem_of(str(error), place)


def _is_list_of_parts(name: str, value: Any) -> bool:
    # The categories of a question are keys, and the outcomes of an option are a map.
    return (
        name in _PARTS
        and isinstance(value, list)
        and any(isinstance(element, dict) for element in value)
    )


def problem_of(message: str, place: str = "") -> Problem:
    """Return what a message of msgspec says, with the place in our notation."""
    code, steps = "invalid", ""
    if match := _PLACE.fullmatch(message):
        message, path = match.groups()
        steps = ".".join(a or b for a, b in _STEP.findall(path) if b != "...")
    if _KEY.fullmatch(message):
        message = "A key is a small letter and at most 39 small letters, digits and _."
    for pattern, meaning in ((_MISSING, "required"), (_UNKNOWN, "unknown_field")):
        if match := pattern.fullmatch(message):
            code = meaning
            steps = f"{steps}.{match[1]}" if steps else match[1]
    return Problem(code, message, f"{place}{steps}".rstrip(".") or None)
