"""The result of answers: points, percent, bands, outcome. These rules are scorer 1.

Results keep the number of their scorer with their version. A rule that changes is scorer 2, for
new versions only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_05UP, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

from quizzes.definition.reaching import ZERO, reach
from quizzes.definition.structs import AnyQuestion, Asked, Band, Multiple, Quiz, Single
from quizzes.scoring.points import chosen, is_correct, points
from quizzes.scoring.visibility import path

SCORER = 1

_EXACT = Context(prec=28, rounding=ROUND_HALF_EVEN)
_HUNDREDTH = Decimal("0.01")
_STORED = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """Points of one category on the path; ``percent`` is ``None`` where none were reachable."""

    key: str
    points: Decimal
    max: Decimal
    percent: Decimal | None
    band: str | None


@dataclass(frozen=True, slots=True)
class Score:
    """What answers come to. Percents are unrounded; ``rounded`` tells them, ``stored`` keeps them.

    ``answers`` are those on the path only. ``correct`` has the questions of the path that have a
    right answer. ``tied_with`` are outcomes with as much weight as the one that won.
    """

    points: Decimal
    max: Decimal
    percent: Decimal | None
    band: str | None
    outcome: str | None
    tied_with: list[str]
    categories: list[CategoryScore]
    path: list[str]
    answers: dict[str, Any]
    correct: dict[str, bool]


def score(quiz: Quiz, answers: Mapping[str, Any]) -> Score:
    """Return the score of kept answers; whether they are complete is not looked at."""
    with localcontext(_EXACT):
        shown = path(quiz, answers)
        on_path = {key: answers[key] for key in shown if key in answers}
        by_key = {question.key: question for question in quiz.questions}
        asked = [q for key in shown if isinstance(q := by_key[key], Asked)]
        total, per_category = _Sum(), {category.key: _Sum() for category in quiz.categories}
        correct = {}
        for question in asked:
            value = on_path.get(question.key)
            got = points(question, value) * question.weight
            low, high = (end * question.weight for end in reach(question))
            total.add(got, low, high)
            for key in question.categories:
                per_category[key].add(got, low, high)
            right = is_correct(question, value)
            if right is not None:
                correct[question.key] = right
        percent = total.percent(quiz.settings.percent_of)
        outcome, tied = _outcome(quiz, asked, on_path)
        return Score(
            points=total.got,
            max=total.high,
            percent=percent,
            # Every result has its headline, also where no points were reachable.
            band=band_of(quiz.bands, percent or ZERO),
            outcome=outcome,
            tied_with=tied,
            categories=_categories(quiz, per_category),
            path=shown,
            answers=on_path,
            correct=correct,
        )


def band_of(bands: Sequence[Band], percent: Decimal) -> str | None:
    """Return the last band whose lower bound the percent reaches: no gaps, no overlaps."""
    found = None
    for band in bands:
        if percent >= band.from_:
            found = band.key
    return found


def rounded(percent: Decimal | None) -> str | None:
    """Return a percent as it is told: ``77.50``."""
    return None if percent is None else str(percent.quantize(_HUNDREDTH, ROUND_HALF_EVEN))


def stored(percent: Decimal | None) -> Decimal | None:
    """Return a percent with four decimals, which ``rounded`` tells as it would the unrounded one.

    This rounding never ends on 0 or 5 by chance, so rounding once more does no harm.
    """
    return None if percent is None else percent.quantize(_STORED, ROUND_05UP)


class _Sum:
    """Points so far, and the lowest and highest that were reachable."""

    def __init__(self) -> None:
        self.got = self.low = self.high = ZERO

    def add(self, got: Decimal, low: Decimal, high: Decimal) -> None:
        self.got += got
        self.low += low
        self.high += high

    def percent(self, of: str) -> Decimal | None:
        if of == "range":
            low, high = self.low, self.high
        else:
            low, high = ZERO, self.high
        if high <= low:
            # All that could be reached were penalties, or nothing at all.
            return ZERO if self.low < self.high else None
        return max(ZERO, (self.got - low) * 100 / (high - low))


def _categories(quiz: Quiz, sums: Mapping[str, _Sum]) -> list[CategoryScore]:
    found = []
    for category in quiz.categories:
        part = sums[category.key]
        percent = part.percent(quiz.settings.percent_of)
        band = None if percent is None else band_of(category.bands, percent)
        found.append(CategoryScore(category.key, part.got, part.high, percent, band))
    return found


def _outcome(
    quiz: Quiz, asked: Sequence[AnyQuestion], answers: Mapping[str, Any]
) -> tuple[str | None, list[str]]:
    """Return the outcome with the most weight, and those that have as much.

    The author's order decides among them. The fallback is that of no weight at all.
    """
    got: dict[str, Decimal] = {}
    best: dict[str, Decimal] = {}
    excluded: set[str] = set()
    for question in asked:
        if not isinstance(question, Single | Multiple):
            continue
        for option in chosen(question, answers.get(question.key)):
            excluded.update(option.excludes)
            for key, weight in option.outcomes.items():
                got[key] = got.get(key, ZERO) + weight * question.weight
        if quiz.normalise:
            for key, most in _most(question).items():
                best[key] = best.get(key, ZERO) + most * question.weight
    if quiz.normalise:
        got = {key: weight * 100 / best[key] for key, weight in got.items() if best[key] > 0}
    ranked = [outcome.key for outcome in quiz.outcomes if outcome.key not in excluded]
    most = max((got.get(key, ZERO) for key in ranked), default=ZERO)
    if most <= 0:
        return quiz.fallback, []
    won, *tied = [key for key in ranked if got.get(key) == most]
    return won, tied


def _most(question: Single | Multiple) -> dict[str, Decimal]:
    """Return the most weight that a question can give to each outcome that it speaks of."""
    found: dict[str, Decimal] = {}
    for key in {key for option in question.options for key in option.outcomes}:
        given = sorted((o.outcomes.get(key, ZERO) for o in question.options), reverse=True)
        if isinstance(question, Single):
            given = given[:1]
        elif question.max is not None:
            given = given[: question.max]
        found[key] = sum((one for one in given if one > 0), ZERO)
    return found
