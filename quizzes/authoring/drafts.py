"""Drafts as they are stored: any JSON object, because whoever writes one is not done yet."""

from typing import Any

import msgspec

from quizzes.definition.checks import Checked, check
from quizzes.definition.parse import TOO_DEEP, is_too_deep, parse
from quizzes.definition.problems import Invalid, Problem
from quizzes.definition.structs import MAX_BYTES
from shop.core.errors import FieldError, ValidationFailed
from shop.core.text import holds_nul


def parse_draft(data: Any) -> dict[str, Any]:
    """Return a draft to be stored; its fractions become strings. Raise ``ValidationFailed``."""
    if not isinstance(data, dict):
        raise _unfit("invalid", "Give a definition: a JSON object.")
    if is_too_deep(data):
        raise _unfit(TOO_DEEP.code, TOO_DEEP.detail)
    try:
        encoded = msgspec.json.encode(data)
    except OverflowError:
        raise _unfit("invalid", "A number is too large.") from None
    if len(encoded) > MAX_BYTES:
        raise _unfit("too_large", f"A definition has at most {MAX_BYTES // 1024} KiB.")
    if holds_nul(encoded):
        raise _unfit("invalid", "A text must not hold the character NUL.")
    return dict(msgspec.to_builtins(data))


def checked(draft: Any, types: dict[str, str]) -> Checked:
    """Return what prevents a draft from being published, its shape included."""
    try:
        quiz = parse(draft)
    except Invalid as invalid:
        return Checked(invalid.errors, [], {"points": [], "categories": {}, "outcomes": {}})
    return check(quiz, types)


def refusal(problems: list[Problem]) -> ValidationFailed:
    """Return the error of a definition that cannot be published, with every problem."""
    return ValidationFailed([FieldError(each.code, each.detail, each.attr) for each in problems])


def _unfit(code: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError(code, detail, "definition")])
