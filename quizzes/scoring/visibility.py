"""Which questions a respondent sees. The player's JavaScript says the same, by the same vectors."""

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any

from quizzes.definition.structs import Condition, Quiz


def path(quiz: Quiz, answers: Mapping[str, Any]) -> list[str]:
    """Return the keys of the questions that are shown, in order.

    A question is shown if its condition holds over the answers of shown questions before it, so
    answers of a branch that was left later change nothing. The answers are validated ones.
    """
    shown: dict[str, None] = {}
    for question in quiz.questions:
        if question.show_if is None or holds(question.show_if, answers, shown.keys()):
            shown[question.key] = None
    return list(shown)


def holds(condition: Condition, answers: Mapping[str, Any], shown: Set[str]) -> bool:
    """Return whether a condition holds, given the answers and the keys of shown questions."""
    if condition.all is not None:
        return all(holds(part, answers, shown) for part in condition.all)
    if condition.any is not None:
        return any(holds(part, answers, shown) for part in condition.any)
    has = condition.q in shown and condition.q in answers
    if condition.answered is not None:
        return has is condition.answered
    if not has:
        return False
    value = answers[condition.q or ""]
    if condition.is_ is not None or condition.not_ is not None:
        chosen = value if isinstance(value, list) else [value]
        if condition.is_ is not None:
            return any(one in condition.is_ for one in chosen)
        return not any(one in (condition.not_ or ()) for one in chosen)
    if condition.gte is not None:
        return Decimal(value) >= condition.gte
    return condition.lte is not None and Decimal(value) <= condition.lte
