"""The points that an answer gets. Scorer 1."""

from decimal import Decimal
from typing import Any

from quizzes.definition.reaching import ZERO, steps
from quizzes.definition.structs import (
    AnyQuestion,
    Choice,
    Multiple,
    NumberQuestion,
    Option,
    Scale,
    Single,
    TextQuestion,
)


def points(question: AnyQuestion, value: Any) -> Decimal:
    """Return the points of a kept answer, without the question's weight; ``None`` gets none.

    The answer of a text question may also be whether it is right, which is what results keep.
    """
    if value is None:
        return ZERO
    match question:
        case Single():
            return sum((option.points for option in question.options if option.key == value), ZERO)
        case Multiple() if question.rule == "exact":
            return question.points if is_correct(question, value) else ZERO
        case Multiple():
            total = sum((o.points for o in question.options if o.key in value), ZERO)
            return max(total, question.floor)
        case Scale():
            return steps(question, value)
        case NumberQuestion() | TextQuestion():
            return question.points if is_correct(question, value) else ZERO
    return ZERO


def is_correct(question: AnyQuestion, value: Any) -> bool | None:
    """Return whether an answer is right, or ``None`` if the question has no right answer."""
    match question:
        case Single() | Multiple():
            right = {option.key for option in question.options if option.correct}
            if not right:
                return None
            return value in right if isinstance(question, Single) else set(value or ()) == right
        case NumberQuestion() if question.correct is not None:
            return value is not None and (
                abs(Decimal(value) - question.correct) <= question.tolerance
            )
        case TextQuestion() if question.correct:
            if value is None or isinstance(value, bool):
                return bool(value)
            return folded(value) in map(folded, question.correct)
    return None


def folded(text: str) -> str:
    """Return a text as it is compared: without differences of case and white space."""
    return " ".join(text.split()).casefold()


def chosen(question: Choice, value: Any) -> list[Option]:
    """Return the chosen options of a kept answer."""
    if value is None:
        return []
    keys = value if isinstance(value, list) else [value]
    return [option for option in question.options if option.key in keys]
