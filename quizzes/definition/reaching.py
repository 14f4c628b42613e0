"""What answers can come to: bounds of points, questions never shown, outcomes that never win."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from quizzes.definition.numbers import plain
from quizzes.definition.problems import Problem
from quizzes.definition.structs import (
    AnyQuestion,
    Asked,
    Choice,
    Condition,
    Multiple,
    NumberQuestion,
    Quiz,
    Scale,
    Single,
    TextQuestion,
)

ZERO = Decimal(0)


def errors(quiz: Quiz) -> Iterator[Problem]:
    """Yield questions that no answers can show, and outcomes that no answers can give."""
    shown = _shown(quiz)
    weights: dict[str, Decimal] = {}
    for n, question in enumerate(quiz.questions):
        if not shown[question.key].sometimes:
            yield Problem("never_shown", "No answers show this question.", f"questions.{n}.show_if")
        elif isinstance(question, Choice):
            for option in question.options:
                for key, weight in option.outcomes.items():
                    weights[key] = max(weight, weights.get(key, ZERO))
    for n, outcome in enumerate(quiz.outcomes):
        if outcome.key != quiz.fallback and weights.get(outcome.key, ZERO) <= 0:
            detail = "No option speaks for this outcome."
            yield Problem("unreachable", detail, f"outcomes.{n}.key")


def warnings(quiz: Quiz) -> Iterator[Problem]:
    """Yield bands and categories that nothing gives points to."""
    bounds = _bounds(quiz)
    if quiz.bands and bounds[""][1] <= 0:
        yield Problem("no_points", "No answer gives points: the first band always wins.", "bands")
    for n, category in enumerate(quiz.categories):
        if bounds[category.key][1] <= 0:
            detail = "No answer gives points to this category."
            yield Problem("no_points", detail, f"categories.{n}.key")


def reach_of_quiz(quiz: Quiz) -> dict[str, Any]:
    """Return bounds of the points, of those of each category, and of each outcome's weight.

    They are strings, the lowest and the highest. No answers go beyond them; if branches exclude
    each other, none may come as far.
    """
    bounds = _bounds(quiz)
    outcomes = {outcome.key: [ZERO, ZERO] for outcome in quiz.outcomes}
    for question in quiz.questions:
        if not isinstance(question, Choice):
            continue
        for key, both in outcomes.items():
            given = sorted(option.outcomes.get(key, ZERO) for option in question.options)
            most = 1 if isinstance(question, Single) else question.max or len(given)
            both[0] += sum((w for w in given[:most] if w < 0), ZERO) * question.weight
            both[1] += sum((w for w in given[-most:] if w > 0), ZERO) * question.weight
    return {
        "points": [plain(end) for end in bounds.pop("")],
        "categories": {key: [plain(end) for end in ends] for key, ends in bounds.items()},
        "outcomes": {key: [plain(end) for end in ends] for key, ends in outcomes.items()},
    }


def _bounds(quiz: Quiz) -> dict[str, list[Decimal]]:
    """Return the lowest and highest points, under an empty key, and those of each category."""
    bounds = {key: [ZERO, ZERO] for key in ("", *(category.key for category in quiz.categories))}
    shown = _shown(quiz)
    for question in quiz.questions:
        if not isinstance(question, Asked) or not shown[question.key].sometimes:
            continue
        low, high = (end * question.weight for end in reach(question))
        if not shown[question.key].always:
            low, high = min(low, ZERO), max(high, ZERO)
        for key in ("", *question.categories):
            bounds[key][0] += low
            bounds[key][1] += high
    return bounds


def reach(question: AnyQuestion) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest points that an answer can get, without the weight."""
    match question:
        case Single():
            possible: list[Decimal] = [option.points for option in question.options]
            if not question.required:
                possible.append(ZERO)
            return min(possible, default=ZERO), max(possible, default=ZERO)
        case Multiple() if question.rule == "exact":
            return _ends(ZERO, question.points)
        case Multiple():
            return _sums(question)
        case Scale():
            ends = [steps(question, question.from_), steps(question, question.to)]
            return _ends(*ends) if question.required else _ends(*ends, ZERO)
        case NumberQuestion() if question.correct is not None:
            return _ends(ZERO, question.points)
        case TextQuestion() if question.correct:
            return _ends(ZERO, question.points)
    return ZERO, ZERO


def steps(question: Scale, value: int) -> Decimal:
    """Return the points of a step of a scale."""
    step = question.to + question.from_ - value if question.reverse else value
    return Decimal(step) * question.factor


def _sums(question: Multiple) -> tuple[Decimal, Decimal]:
    """Return the points of the worst and of the best set that may be chosen.

    A set may be empty if nothing is required, and has at most ``max`` options, at least ``min``.
    """
    ranked = sorted((option.points for option in question.options), reverse=True)
    least = max(question.min, 1)
    most = min(len(ranked) if question.max is None else question.max, len(ranked))
    best = _best(ranked, least, most)
    worst = -_best([-one for one in reversed(ranked)], least, most)
    # No answer gets no points, and no floor, either.
    possible = [max(worst, question.floor), max(best, question.floor)]
    if not question.required:
        possible.append(ZERO)
    return min(possible), max(possible)


def _best(ranked: Sequence[Decimal], least: int, most: int) -> Decimal:
    """Return the highest sum of at least ``least`` and at most ``most`` of sorted numbers."""
    return sum((one for n, one in enumerate(ranked[:most]) if n < least or one > 0), ZERO)


def _ends(*ends: Decimal) -> tuple[Decimal, Decimal]:
    return min(ends), max(ends)


class _Shown:
    """Whether some answers show a question, and whether all do."""

    def __init__(self, sometimes: bool, always: bool) -> None:
        self.sometimes, self.always = sometimes, always


def _shown(quiz: Quiz) -> dict[str, _Shown]:
    """Return which questions can be shown, as far as each look alone can tell."""
    found: dict[str, _Shown] = {}
    questions: dict[str, AnyQuestion] = {}
    for question in quiz.questions:
        condition = question.show_if
        possible = condition is None or _possible(condition, questions, found)
        found[question.key] = _Shown(possible, condition is None)
        questions[question.key] = question
    return found


def _possible(
    condition: Condition, questions: dict[str, AnyQuestion], shown: dict[str, _Shown]
) -> bool:
    if condition.all is not None:
        return all(_possible(part, questions, shown) for part in condition.all)
    if condition.any is not None:
        return any(_possible(part, questions, shown) for part in condition.any)
    question = questions[condition.q or ""]
    if condition.answered is False:
        required = isinstance(question, Asked) and question.required
        return not (shown[question.key].always and required)
    return shown[question.key].sometimes and _answerable(condition, question)


def _answerable(condition: Condition, question: AnyQuestion) -> bool:
    """Return whether an answer can be as a look wants it; unknown options are told elsewhere."""
    match question:
        case Scale():
            low, high = Decimal(question.from_), Decimal(question.to)
        case NumberQuestion():
            low = question.min if question.min is not None else Decimal("-Infinity")
            high = question.max if question.max is not None else Decimal("Infinity")
        case Single() if condition.not_ is not None:
            return any(option.key not in condition.not_ for option in question.options)
        case _:
            return True
    if condition.gte is not None:
        return high >= condition.gte
    if condition.lte is not None:
        return low <= condition.lte
    return True
