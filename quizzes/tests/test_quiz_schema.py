"""The published JSON Schema of definitions says the same as what reads them."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from django.test import Client

from quizzes.definition.canonical import canonical
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.tests import running
from quizzes.tests.access_authoring import DEFINITION
from quizzes.tests.answering import coffee
from quizzes.tests.generated import cases
from tests.system import ROOT


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    answer = Client().get("/documentation/quiz.schema.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/schema+json")
    assert not answer.cookies
    found = json.loads(answer.content)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_samples_and_the_definitions_of_the_tests_are_valid(
    schema: jsonschema.Draft202012Validator,
) -> None:
    samples = sorted((ROOT / "quizzes" / "samples").glob("*.json"))
    definitions = [json.loads(path.read_text()) for path in samples]
    assert len(definitions) == 3
    definitions += [coffee(), DEFINITION, running.DEFINITION]
    definitions += [case.definition for case in cases(200)]
    for each in definitions:
        # As it is written, and as it is stored and exported.
        schema.validate(json.loads(json.dumps(each)))
        schema.validate(json.loads(canonical(parse(each))))


def put(path: str, value: Any) -> Callable[[Any], None]:
    """Return what puts a value at a path of a definition."""

    def work(whole: Any) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in steps:
            whole = whole[step]
        whole[last] = value

    return work


def take(path: str) -> Callable[[Any], None]:
    """Return what takes a member of a question away."""
    return lambda whole: whole["questions"][0].pop(path)


LEAF = {"q": "roast", "is": ["dark"]}
FAULTS = {
    "another format": put("format", "shop-quiz/2"),
    "an unknown field": put("colour", "red"),
    "an unknown field of an option": put("questions.0.options.0.point", 3),
    "a field of another type": put("questions.1.options", []),
    "no title": take("title"),
    "no type": take("type"),
    "an unknown type": put("questions.0.type", "matrix"),
    "a text instead of texts": put("title", "Coffee"),
    "a language that is none": put("title", {"english": "Coffee"}),
    "no languages": put("languages", []),
    "a key in capitals": put("questions.0.key", "Roast"),
    "a key with a line feed": put("questions.0.key", "roast\n"),
    "a number in words": put("questions.2.correct", "many"),
    "a number with a comma": put("questions.2.correct", "93,5"),
    "a number of ten digits": put("questions.2.correct", 1234567890),
    "a truth for a number": put("questions.2.points", True),
    "a scale of no whole numbers": put("questions.1.from", 0.5),
    "a scale that is too long": put("questions.1.to", 1001),
    "a switch as text": put("settings.back", "yes"),
    "an unknown choice": put("settings.headline", "points"),
    "too many characters": put("questions.3.max_length", 5001),
    "a text of too many": put("title.en", "x" * 5001),
    "no condition at all": put("questions.1.show_if", {}),
    "two conditions in one": put("questions.1.show_if", {"all": [LEAF], "any": [LEAF]}),
    "a group with a look": put("questions.1.show_if", {"all": [LEAF], "answered": True}),
    "a look at nothing": put("questions.1.show_if", {"is": ["dark"]}),
    "two looks in one": put("questions.1.show_if", {**LEAF, "answered": True}),
    "a question without a look": put("questions.1.show_if", {"q": "roast"}),
    "a fault inside a group": put("questions.1.show_if", {"all": [{"any": [{"q": "roast"}]}]}),
}
SOUND = {
    "nothing": lambda whole: None,
    "groups in groups": put(
        "questions.1.show_if", {"any": [{"all": [LEAF]}, {"q": "roast", "answered": False}]}
    ),
    "nulls where nothing is": put("questions.1.show_if", {**LEAF, "all": None, "gte": None}),
    "a text of most": put("title.en", "x" * 5000),
    "a number as text": put("questions.2.correct", "-93.517"),
    "a number as number": put("questions.2.correct", 93.517),
}


@pytest.mark.parametrize("name", [*FAULTS, *SOUND])
def test_a_planted_fault_is_found_by_the_schema_as_by_the_shop(
    schema: jsonschema.Draft202012Validator, name: str
) -> None:
    whole = json.loads(json.dumps(coffee()))
    (FAULTS | SOUND)[name](whole)
    try:
        parse(whole)
    except Invalid:
        assert name in FAULTS
    else:
        assert name in SOUND
    assert schema.is_valid(whole) == (name in SOUND)


def test_defaults_are_those_of_the_structs(schema: jsonschema.Draft202012Validator) -> None:
    parts: Any = schema.schema["$defs"]
    assert parts["Single"]["properties"]["weight"]["default"] == 1
    assert parts["Option"]["properties"]["points"] == {"$ref": "#/$defs/Number", "default": 0}
    assert parts["Settings"]["properties"]["back"] == {"type": "boolean", "default": True}
    assert parts["TextQuestion"]["properties"]["max_length"]["default"] == 500
