"""Everything that must hold before a definition can be published."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from quizzes.definition import reaching, wording
from quizzes.definition.canonical import canonical
from quizzes.definition.problems import Problem
from quizzes.definition.public import type_of
from quizzes.definition.structs import (
    MAX_BYTES,
    AnyQuestion,
    Asked,
    Band,
    Choice,
    Condition,
    Multiple,
    NumberQuestion,
    Quiz,
    Scale,
    Single,
    TextQuestion,
)

MAX_QUESTIONS, MAX_OPTIONS, MAX_OUTCOMES, MAX_CATEGORIES = 200, 50, 20, 30
MAX_BANDS, MAX_BLOCKS, MAX_CONSENTS = 20, 50, 5
MAX_DEPTH, MAX_LEAVES = 3, 20
MAX_STEPS = 100
MAX_PROBLEMS = 1000
MAX_NUMBER = 1000


class Checked(NamedTuple):
    """``errors`` prevent publishing and ``warnings`` do not.

    ``reach`` has ``points``, ``categories`` and ``outcomes``: the lowest and highest that answers
    could come to, as plain strings.
    """

    errors: list[Problem]
    warnings: list[Problem]
    reach: dict[str, Any]


def check(quiz: Quiz, types: Mapping[str, str] | None = None) -> Checked:
    """Return what prevents publishing, what is doubtful, and what answers can reach.

    ``types`` are those that earlier versions gave to the keys of questions.
    """
    found = chain(
        _sizes(quiz),
        _keys(quiz),
        _kept_types(quiz, types or {}),
        (problem for place, question in _questions(quiz) for problem in _question(question, place)),
        _conditions(quiz),
        _numbers(quiz),
        _references(quiz),
        _bands(quiz.bands, "bands"),
        (
            problem
            for n, category in enumerate(quiz.categories)
            for problem in _bands(category.bands, f"categories.{n}.bands")
        ),
        _headline(quiz),
        wording.errors(quiz),
    )
    # A few letters of a definition may be wrong in forty languages.
    errors = list(islice(found, MAX_PROBLEMS))
    warnings = list(islice(wording.warnings(quiz), MAX_PROBLEMS))
    if not errors:
        # These follow references, so they need sound ones.
        errors += reaching.errors(quiz)
        warnings += reaching.warnings(quiz)
    return Checked(errors, warnings, {} if errors else reaching.reach_of_quiz(quiz))


def _questions(quiz: Quiz) -> Iterator[tuple[str, AnyQuestion]]:
    for n, question in enumerate(quiz.questions):
        yield f"questions.{n}", question


def _sizes(quiz: Quiz) -> Iterator[Problem]:
    if not any(isinstance(question, Asked) for question in quiz.questions):
        yield Problem("no_questions", "A quiz needs a question.", "questions")
    lists: list[tuple[str, Sequence[Any], int]] = [
        ("questions", quiz.questions, MAX_QUESTIONS),
        ("outcomes", quiz.outcomes, MAX_OUTCOMES),
        ("categories", quiz.categories, MAX_CATEGORIES),
        ("bands", quiz.bands, MAX_BANDS),
        ("result.blocks", quiz.result.blocks, MAX_BLOCKS),
        ("contact.consents", quiz.contact.consents, MAX_CONSENTS),
    ]
    lists += [(f"categories.{n}.bands", c.bands, MAX_BANDS) for n, c in enumerate(quiz.categories)]
    for place, question in _questions(quiz):
        if isinstance(question, Choice):
            lists.append((f"{place}.options", question.options, MAX_OPTIONS))
        if isinstance(question, TextQuestion):
            lists.append((f"{place}.correct", question.correct, MAX_OPTIONS))
    for place, found, most in lists:
        if len(found) > most:
            yield Problem("too_many", f"There are at most {most}.", place)
    if len(canonical(quiz)) > MAX_BYTES:
        yield Problem("too_large", f"A definition has at most {MAX_BYTES // 1024} KiB.")


def _keys(quiz: Quiz) -> Iterator[Problem]:
    yield from _unique((q.key for q in quiz.questions), "questions")
    yield from _unique((o.key for o in quiz.outcomes), "outcomes")
    yield from _unique((c.key for c in quiz.categories), "categories")
    yield from _unique((b.key for b in quiz.bands), "bands")
    yield from _unique((c.key for c in quiz.contact.consents), "contact.consents")
    for n, category in enumerate(quiz.categories):
        yield from _unique((b.key for b in category.bands), f"categories.{n}.bands")
    for place, question in _questions(quiz):
        if isinstance(question, Choice):
            yield from _unique((o.key for o in question.options), f"{place}.options")
        if isinstance(question, Asked):
            yield from _unique(question.categories, f"{place}.categories", step="")
    for language, count in Counter(quiz.languages).items():
        if count > 1:
            yield Problem("duplicate", f"{language} is in the list twice.", "languages")


def _unique(keys: Iterable[str], place: str, step: str = ".key") -> Iterator[Problem]:
    seen: set[str] = set()
    for n, key in enumerate(keys):
        if key in seen:
            yield Problem("duplicate", f"Another one has the key {key}.", f"{place}.{n}{step}")
        seen.add(key)


def _kept_types(quiz: Quiz, types: Mapping[str, str]) -> Iterator[Problem]:
    for place, question in _questions(quiz):
        before = types.get(question.key)
        if before not in (None, type_of(question)):
            detail = f"{question.key} was a question of type {before}. Give this one another key."
            yield Problem("type_changed", detail, f"{place}.type")


def _question(question: AnyQuestion, place: str) -> Iterator[Problem]:
    """Yield what makes a question impossible to answer, or its points impossible to reckon."""
    match question:
        case Single() | Multiple():
            if not question.options:
                yield Problem("no_options", "It needs an option.", f"{place}.options")
            if isinstance(question, Multiple):
                yield from _choosing(question, place)
        case Scale():
            if not question.from_ < question.to:
                yield Problem("range", "It must be above `from`.", f"{place}.to")
            elif question.to - question.from_ > MAX_STEPS:
                yield Problem("range", f"A scale has at most {MAX_STEPS} steps.", f"{place}.to")
            for label in question.labels:
                if str(int(label)) != label or not question.from_ <= int(label) <= question.to:
                    yield Problem("range", "The scale has no such step.", f"{place}.labels.{label}")
        case NumberQuestion():
            yield from _range(question, place)


def _choosing(question: Multiple, place: str) -> Iterator[Problem]:
    right = sum(option.correct for option in question.options)
    if question.max is not None and question.max < question.min:
        yield Problem("range", "It must not be below `min`.", f"{place}.max")
    if question.min > len(question.options):
        yield Problem("range", "There are fewer options.", f"{place}.min")
    if question.rule == "exact":
        if not right:
            detail = "The rule `exact` needs an option that is correct."
            yield Problem("no_correct", detail, f"{place}.options")
        for n, option in enumerate(question.options):
            if option.points:
                detail = "With the rule `exact` the question has the points."
                yield Problem("points", detail, f"{place}.options.{n}.points")
    elif question.points:
        detail = "With the rule `sum` the options have the points."
        yield Problem("points", detail, f"{place}.points")
    if right and not question.min <= right <= (question.max or right):
        detail = "As many options as are correct cannot be chosen."
        yield Problem("unanswerable", detail, f"{place}.options")


def _range(question: NumberQuestion, place: str) -> Iterator[Problem]:
    low, high = question.min, question.max
    if low is not None and high is not None and low > high:
        yield Problem("range", "It must not be below `min`.", f"{place}.max")
    elif question.correct is not None and (
        (low is not None and question.correct < low)
        or (high is not None and question.correct > high)
    ):
        yield Problem("range", "The right answer cannot be given.", f"{place}.correct")
    if question.tolerance < 0:
        yield Problem("range", "It must not be negative.", f"{place}.tolerance")
    if question.correct is None and question.points:
        yield Problem("no_correct", "Points need a right answer.", f"{place}.points")


def _conditions(quiz: Quiz) -> Iterator[Problem]:
    earlier: dict[str, AnyQuestion] = {}
    for place, question in _questions(quiz):
        if question.show_if is not None:
            where = f"{place}.show_if"
            leaves = list(question.show_if.leaves())
            if _depth(question.show_if) > MAX_DEPTH or len(leaves) > MAX_LEAVES:
                detail = f"At most {MAX_LEAVES} conditions, in at most {MAX_DEPTH} levels."
                yield Problem("too_deep", detail, where)
            if _is_empty(question.show_if):
                yield Problem("empty", "A list of conditions is empty.", where)
            for leaf in leaves:
                yield from _leaf(leaf, earlier, where)
        earlier[question.key] = question


def _depth(condition: Condition) -> int:
    parts = condition.all or condition.any or ()
    return 1 + max(map(_depth, parts), default=0) if condition.q is None else 1


def _is_empty(condition: Condition) -> bool:
    parts = condition.all or condition.any or ()
    return condition.q is None and (not parts or any(map(_is_empty, parts)))


def _leaf(leaf: Condition, earlier: Mapping[str, AnyQuestion], where: str) -> Iterator[Problem]:
    question = earlier.get(leaf.q or "")
    if not isinstance(question, Asked):
        detail = f"There is no earlier question {leaf.q} that is answered."
        yield Problem("not_earlier", detail, where)
        return
    if leaf.answered is not None:
        return
    if leaf.gte is not None or leaf.lte is not None:
        if not isinstance(question, Scale | NumberQuestion):
            yield Problem("condition", f"{leaf.q} is not answered with a number.", where)
        return
    values = leaf.is_ if leaf.is_ is not None else leaf.not_ or []
    if not values:
        yield Problem("empty", "A list of answers is empty.", where)
    if isinstance(question, Choice):
        known: set[str | int] = {option.key for option in question.options}
    elif isinstance(question, Scale):
        known = set(range(question.from_, question.to + 1))
    else:
        detail = f"Ask whether {leaf.q} is answered, or compare it with gte and lte."
        yield Problem("condition", detail, where)
        return
    for value in values:
        if value not in known:
            yield Problem("unknown_option", f"{leaf.q} has no answer {value}.", where)


def _numbers(quiz: Quiz) -> Iterator[Problem]:
    """Yield numbers that are too large, and products that a result could not keep exactly."""
    for place, question in _questions(quiz):
        if not isinstance(question, Asked):
            continue
        worth = list(_worth(question, place))
        for where, number in worth:
            if abs(number) > MAX_NUMBER:
                yield Problem("range", f"From {-MAX_NUMBER} to {MAX_NUMBER}.", where)
            elif _decimals(number) + _decimals(question.weight) > 3:
                detail = "With the weight of the question this has more than three decimals."
                yield Problem("too_exact", detail, where)
        if not 0 < question.weight <= MAX_NUMBER:
            yield Problem("range", f"Above 0, at most {MAX_NUMBER}.", f"{place}.weight")


def _worth(question: Asked, place: str) -> Iterator[tuple[str, Any]]:
    for name in ("points", "floor", "factor"):
        number = getattr(question, name, None)
        if number is not None:
            yield f"{place}.{name}", number
    if isinstance(question, Choice):
        for n, option in enumerate(question.options):
            yield f"{place}.options.{n}.points", option.points
            for key, number in option.outcomes.items():
                yield f"{place}.options.{n}.outcomes.{key}", number


def _decimals(number: Any) -> int:
    return max(0, -number.normalize().as_tuple().exponent)


def _references(quiz: Quiz) -> Iterator[Problem]:
    categories = {category.key: category for category in quiz.categories}
    outcomes = {outcome.key for outcome in quiz.outcomes}
    for place, question in _questions(quiz):
        if isinstance(question, Asked):
            for n, key in enumerate(question.categories):
                if key not in categories:
                    yield _unknown("category", key, f"{place}.categories.{n}")
        if isinstance(question, Choice):
            for n, option in enumerate(question.options):
                for key in option.outcomes:
                    if key not in outcomes:
                        yield _unknown("outcome", key, f"{place}.options.{n}.outcomes.{key}")
                for m, key in enumerate(option.excludes):
                    where = f"{place}.options.{n}.excludes.{m}"
                    if key not in outcomes:
                        yield _unknown("outcome", key, where)
                    elif key == quiz.fallback:
                        detail = "The fallback must always be possible."
                        yield Problem("fallback_excluded", detail, where)
    for n, block in enumerate(quiz.result.blocks):
        when, where = block.when, f"result.blocks.{n}.when"
        bands = quiz.bands
        if when.category is not None:
            if when.category not in categories:
                yield _unknown("category", when.category, f"{where}.category")
                continue
            bands = categories[when.category].bands
            if when.band is None:
                yield Problem("condition", "A category needs a band.", f"{where}.category")
        known = {band.key for band in bands}
        for m, key in enumerate(when.band or ()):
            if key not in known:
                yield _unknown("band", key, f"{where}.band.{m}")
        for m, key in enumerate(when.outcome or ()):
            if key not in outcomes:
                yield _unknown("outcome", key, f"{where}.outcome.{m}")


def _unknown(kind: str, key: str, where: str) -> Problem:
    return Problem(f"unknown_{kind}", f"There is no {kind} {key}.", where)


def _bands(bands: Sequence[Band], place: str) -> Iterator[Problem]:
    if bands and bands[0].from_ != 0:
        yield Problem("first_band", "The first band begins at 0.", f"{place}.0.from")
    for n, band in enumerate(bands):
        if n and band.from_ <= bands[n - 1].from_:
            yield Problem("order", "It must begin above the one before.", f"{place}.{n}.from")
        if band.from_ > 100:
            yield Problem("range", "Percents go up to 100.", f"{place}.{n}.from")


def _headline(quiz: Quiz) -> Iterator[Problem]:
    """Yield what would leave a result without a headline."""
    keys = [outcome.key for outcome in quiz.outcomes]
    if quiz.settings.headline == "outcome" and not quiz.outcomes:
        yield Problem("no_headline", "The headline needs outcomes.", "outcomes")
    if quiz.settings.headline == "band" and not quiz.bands:
        yield Problem("no_headline", "The headline needs bands.", "bands")
    if quiz.fallback is None and quiz.outcomes:
        yield Problem("no_fallback", "Say which outcome it is if none has weight.", "fallback")
    if quiz.fallback is not None and quiz.fallback not in keys:
        yield _unknown("outcome", quiz.fallback, "fallback")
