"""Random definitions and answers, the same ones for each seed.

They are for whatever must agree with ``quizzes.scoring``: the player's JavaScript on the path, and
the scorer with itself. Each definition passes the checks of publishing but for its texts.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from quizzes.definition.parse import parse
from quizzes.definition.structs import Quiz
from quizzes.scoring.answers import validate
from quizzes.scoring.visibility import path

TYPES = ("single", "multiple", "scale", "number", "text", "info")
NUMBERS = ("-12.5", "-3", "-0.001", "0", "0.1", "0.3", "2.75", "3", "10", "99.999", "100")


class Case(NamedTuple):
    """``answers`` are kept ones, as a device sends them; ``path`` is what Python shows."""

    definition: dict[str, Any]
    quiz: Quiz
    answers: dict[str, Any]
    path: list[str]


def cases(count: int, seed: int = 17) -> Iterator[Case]:
    """Yield as many random definitions, each with random answers, some off the path."""
    source = random.Random(seed)
    for _ in range(count):
        definition = _definition(source)
        quiz = parse(definition)
        given = {
            question["key"]: _answer(source, question)
            for question in definition["questions"]
            if question["type"] != "info" and source.random() < 0.75
        }
        answers = validate(quiz, given, complete=False)
        yield Case(definition, quiz, answers, path(quiz, answers))


def _definition(source: random.Random) -> dict[str, Any]:
    questions: list[dict[str, Any]] = []
    for number in range(source.randint(2, 8)):
        question = _question(source, f"q{number}")
        earlier = [one for one in questions if one["type"] != "info"]
        if earlier and source.random() < 0.7:
            question["show_if"] = _condition(source, earlier, depth=source.choice((1, 1, 2, 3)))
        questions.append(question)
    return {
        "format": "shop-quiz/1",
        "languages": ["en"],
        "title": {"en": "Random"},
        "settings": {"percent_of": source.choice(("max", "range"))},
        "categories": [{"key": "c", "title": {"en": "C"}}],
        "bands": [
            {"key": "low", "from": 0},
            {"key": "high", "from": source.choice((50, "66.667"))},
        ],
        "questions": questions,
    }


def _question(source: random.Random, key: str) -> dict[str, Any]:
    kind = source.choice(TYPES)
    question: dict[str, Any] = {"key": key, "type": kind, "title": {"en": key}}
    if kind == "info":
        return question
    question["categories"] = source.choice(([], ["c"]))
    question["weight"] = source.choice((1, 2, "0.5"))
    if kind in ("single", "multiple"):
        question["options"] = [
            {"key": f"o{n}", "title": {"en": "O"}, "points": source.choice((-2, 0, 1, "2.5"))}
            for n in range(source.randint(1, 4))
        ]
    if kind == "multiple" and source.random() < 0.3:
        question["max"] = len(question["options"])
    if kind == "scale":
        question["from"] = source.choice((-3, 0, 1))
        question["to"] = question["from"] + source.randint(1, 6)
        question["reverse"] = source.random() < 0.3
    if kind == "number":
        question |= {"correct": source.choice(NUMBERS), "tolerance": "0.5", "points": 3}
    return question


def _condition(source: random.Random, earlier: list[Any], depth: int) -> dict[str, Any]:
    if depth > 1:
        parts = [_condition(source, earlier, depth - 1) for _ in range(source.randint(1, 3))]
        return {source.choice(("all", "any")): parts}
    question = source.choice(earlier)
    leaf: dict[str, Any] = {"q": question["key"]}
    if source.random() < 0.2 or question["type"] == "text":
        leaf["answered"] = source.random() < 0.5
    elif question["type"] == "number" or (question["type"] == "scale" and source.random() < 0.5):
        leaf[source.choice(("gte", "lte"))] = source.choice(NUMBERS)
    else:
        values = _values(question)
        chosen = source.sample(values, source.randint(1, len(values)))
        leaf[source.choice(("is", "not"))] = chosen
    return leaf


def _values(question: dict[str, Any]) -> list[Any]:
    if question["type"] == "scale":
        return list(range(question["from"], question["to"] + 1))
    return [option["key"] for option in question["options"]]


def _answer(source: random.Random, question: dict[str, Any]) -> Any:
    match question["type"]:
        case "number":
            return source.choice(NUMBERS)
        case "text":
            return source.choice(("yes", "", " "))
        case "multiple":
            values = _values(question)
            return source.sample(values, source.randint(0, len(values)))
        case _:
            return source.choice(_values(question))
