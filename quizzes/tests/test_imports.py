"""Files of other programs become quizzes; what cannot be taken over is told and stops nothing."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from quizzes.authoring.imports import FORMATS, Imported, definition_import, gift
from quizzes.definition.canonical import canonical
from quizzes.definition.checks import check
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.scoring.result import score

GIFT = r"""// A file as Moodle writes it.
$CATEGORY: $course$/top/Geography

::Capital of Peru::[html]What is the <b>capital</b> of&nbsp;Peru?{
    =Lima # Well done
    ~Cusco
    ~%50%Callao (the port) # Nearly
}

The Nile is {~in Asia =in Africa ~in Europe} for the most part.

::Rivers of the south:: Which flow into the sea \: choose all {
    ~%33.33333%Orange
    ~%33.33333%Limpopo
    ~%33.33333%Zambezi
    ~%-100%Okavango
}

The Sahara is a desert.{T#Yes.#No.####It is the largest hot one.}

The moon is made of cheese.{FALSE}";

::Short::The largest ocean is the {=Pacific =Pacific Ocean =%50%the blue one =%0%*}.

When did Pompeii fall? {#79:1}

How high is the tower, about? {#
    =330:2 # With the mast
    =%50%300:10
}

How many is a few? {#3..5~#Far off}

Tell us about yourself. {}

Match. {
    =Canada -> Ottawa
    =Japan -> Tokyo
}

Just a heading without answers

::Broken:: What is it? {=one ~two

A good one after it? {=yes ~no}

[markdown]What is **bold**, with 5 \= 2 + 3 and \{braces\} and \#tags?{
    = \= right

    ~ \~ wrong
}

What is pi? {#3.1415:0.0005}
"""


def _titles(imported: Imported) -> list[str]:
    return [question["title"]["en"] for question in imported.definition["questions"]]


def _publishable(imported: Imported) -> Any:
    quiz = parse(json.dumps(imported.definition).encode())
    assert check(quiz).errors == []
    return quiz


def test_gift() -> None:
    found = definition_import("gift", ("\ufeff" + GIFT.replace("\n", "\r\n")).encode())
    assert _titles(found) == [
        "What is the capital of Peru?",
        "The Nile is _____ for the most part.",
        "Which flow into the sea : choose all",
        "The Sahara is a desert.",
        "The moon is made of cheese.",
        "The largest ocean is the _____.",
        "When did Pompeii fall?",
        "How high is the tower, about?",
        "How many is a few?",
        "A good one after it?",
        "What is bold, with 5 = 2 + 3 and {braces} and #tags?",
    ]
    assert found.questions == 11
    lines = GIFT.split("\n")
    assert [(skip.code, lines[(skip.line or 0) - 1][:12]) for skip in found.skipped] == [
        ("unsupported", "Tell us abou"),
        ("unsupported", "Match. {"),
        ("unsupported", "Just a headi"),
        ("brackets", "::Broken:: W"),
        ("number", "What is pi? "),
    ]
    assert {note.code for note in found.notes} == {"comments", "partial"}
    quiz = _publishable(found)
    questions = {question["key"]: question for question in found.definition["questions"]}
    assert [o.get("points") for o in questions["capital_of_peru"]["options"]] == [1, None, "0.5"]
    assert questions["short"]["correct"] == ["Pacific", "Pacific Ocean"]
    assert [o["title"]["en"] for o in questions["q11"]["options"]] == ["= right", "~ wrong"]
    assert questions["q9"] | {"title": {}} == {
        "key": "q9",
        "title": {},
        "type": "number",
        "correct": 4,
        "tolerance": 1,
        "points": 1,
    }
    right = {
        "capital_of_peru": "lima",
        "rivers_of_the_south": ["orange", "limpopo", "zambezi"],
        "q4": "true",
        "q5": "false",
        "short": "pacific ocean",
        "q7": "80",
        "q8": "331",
        "q9": "3",
    }
    assert str(score(quiz, right).points) == "7.999"


def test_gift_texts_are_in_the_language_that_is_asked_for() -> None:
    found = definition_import("gift", "Die Erde ist flach.{F}".encode("utf-16"), "de")
    (question,) = found.definition["questions"]
    assert [option["title"] for option in question["options"]] == [
        {"de": "Richtig"},
        {"de": "Falsch"},
    ]


AIKEN = """Who painted the Mona Lisa?
A) Leonardo
B. Raphael
ANSWER: A

Only one option
A) this
ANSWER: A

A) An option of nothing
B) Another
ANSWER: B

No such letter
A) one
B) two
ANSWER: C

I. Newton wrote <em>which</em> & what?
a) Principia
b) Ulysses
answer: a

Started, not finished
A) one
B) two

The last, over
two lines
A)no space
B)all of them
C)none
ANSWER: A, B"""


def test_aiken() -> None:
    found = definition_import("aiken", AIKEN.encode())
    assert _titles(found) == [
        "Who painted the Mona Lisa?",
        "I. Newton wrote <em>which</em> & what?",
        "The last, over two lines",
    ]
    assert [(skip.line, skip.code) for skip in found.skipped] == [
        (6, "too_few_options"),
        (10, "no_question"),
        (14, "no_answer"),
        (24, "no_answer"),
    ]
    quiz = _publishable(found)
    assert str(score(quiz, {"q1": "leonardo", "q3": ["all_of_them", "no_space"]}).percent)[:4] == (
        "66.6"
    )


CSV = """question;type;option;points;correct;category;outcome
"Which roast; which?";single;Dark;3;;Taste;Espresso: 2
;;Light;1,5;;;Filter|Tea
How hot?;number;;2;93,5;Taste;
Best city?;text;;;Addis Ababa|Addis Abeba;;
How often?;scale;1..5;;;;
Pick two;;One;;x;;
Pick two;;Two;;x;;
Pick two;;Three;;;;
Odd;single;a;;maybe;;
Odd;single;b;;;;
Alone;single;only;;;;
"never closed;single;a;;;;
Poem;verse;;;;;
Read this;info;;;;;
"""


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv(delimiter: str) -> None:
    text = CSV if delimiter == ";" else CSV.replace(",5", ".5").replace(";", delimiter)
    text = text.replace(f'"Which roast{delimiter} which?"', '"Which roast; which?"')
    found = definition_import("csv", text.encode("cp1252"))
    assert _titles(found)[0] == "Which roast; which?"
    assert [(q["type"]) for q in found.definition["questions"]] == [
        "single",
        "number",
        "text",
        "scale",
        "multiple",
        "info",
    ]
    assert {(skip.line, skip.code) for skip in found.skipped} == {
        (10, "correct"),
        (12, "too_few_options"),
        (13, "quote"),
        (14, "unsupported"),
    }
    quiz = _publishable(found)
    got = score(quiz, {"q1": "light", "q2": "93.5", "q5": ["one", "two"]})
    assert (str(got.points), got.outcome) == ("5.5", "filter")
    assert [outcome.key for outcome in quiz.outcomes] == ["espresso", "filter", "tea"]


_PLACE_AND_YEAR = {"value": "1861", "text": {"default": "1861", "de": "1861 n. Chr."}}
_TWO = ["a", "b"]
_UNIONS = {
    "type": "checkbox",
    "name": "states",
    "visibleIf": "{civilwar} = '1861' and ({civilwar} empty or {civilwar} <> '1750-1800')",
    "choices": ["Ohio", "Iowa", "Mars"],
    "correctAnswer": ["Iowa", "Ohio"],
}
_INNER = [
    {"type": "boolean", "name": "sure", "correctAnswer": False},
    {"type": "rating", "name": "stars", "rateMax": 7, "hasComment": True},
    {"type": "comment", "name": "why", "visibleIf": "{stars} > 5 && {sure} = true"},
    {"type": "text", "inputType": "number", "name": "year", "correctAnswer": 1865},
]
_LOST = [
    {"type": "matrixdynamic", "name": "table"},
    {"type": "radiogroup", "name": "x", "choices": _TWO, "visibleIf": "age({y}) > 3"},
    {"type": "radiogroup", "name": "z", "choices": _TWO, "visibleIf": "{x} = 'a'"},
    {"type": "dropdown", "name": "civilwar", "choices": _TWO, "correctAnswer": "c"},
]
_CIVIL_WAR = {
    "type": "radiogroup",
    "name": "civilwar",
    "title": {"default": "When was it?", "de": "Wann war es?"},
    "choicesOrder": "random",
    "isRequired": True,
    "choices": ["1750-1800", _PLACE_AND_YEAR],
    "correctAnswer": "1861",
}
_HELLO = {"type": "html", "name": "hello", "html": "<p>You are <b>about</b> to start.</p>"}
FORM = {
    "title": {"default": "History", "de": "Geschichte"},
    "completedHtml": "<p>Done</p>",
    "pages": [
        {"name": "intro", "elements": [_HELLO, _CIVIL_WAR, _UNIONS]},
        {
            "name": "more",
            "visibleIf": "{civilwar} anyof ['1861', '1750-1800']",
            "questions": [{"type": "panel", "name": "inner", "elements": _INNER}, *_LOST],
        },
    ],
}


def test_surveyjs() -> None:
    text = json.dumps(FORM, indent=1)
    found = definition_import("surveyjs", text.encode())
    assert found.definition["title"] == {"en": "History", "de": "Geschichte"}
    assert [(q["key"], q["type"]) for q in found.definition["questions"]] == [
        ("hello", "info"),
        ("civilwar", "single"),
        ("states", "multiple"),
        ("sure", "single"),
        ("stars", "scale"),
        ("why", "text"),
        ("year", "number"),
    ]
    assert [skip.code for skip in found.skipped] == [
        "unsupported",
        "condition",
        "condition",
        "no_answer",
    ]
    assert text.split("\n")[(found.skipped[0].line or 0) - 1].strip() == '"name": "table"'
    assert [note.code for note in found.notes] == ["comments"]
    quiz = _publishable(found)
    answers = {"civilwar": "o_1861", "states": ["ohio", "iowa"], "sure": "false", "stars": 6}
    got = score(quiz, answers | {"year": "1865"})
    assert got.path == ["hello", "civilwar", "states", "sure", "stars", "year"]
    assert str(got.points) == "10"
    assert "why" in score(quiz, answers | {"sure": "true"}).path
    assert score(quiz, {}).path == ["hello", "civilwar"]


def test_surveyjs_choices_with_a_value_before_a_bar() -> None:
    element = {"type": "radiogroup", "name": "a", "choices": ["no|Not yet", "yes"]}
    form = {"elements": [{**element, "correctAnswer": "no"}]}
    (question,) = definition_import("surveyjs", json.dumps(form).encode()).definition["questions"]
    told = [(one["key"], one["title"]["en"], one.get("correct")) for one in question["options"]]
    assert told == [("no", "Not yet", True), ("yes", "yes", None)]


def test_our_own_format_comes_back_as_it_was() -> None:
    for format, text in (("gift", GIFT), ("csv", CSV), ("surveyjs", json.dumps(FORM))):
        whole = canonical(
            parse(json.dumps(definition_import(format, text.encode()).definition).encode())
        )
        again = definition_import("quiz", whole)
        assert canonical(parse(json.dumps(again.definition).encode())) == whole
    with pytest.raises(Invalid) as fault:
        definition_import("quiz", b'{"format": "shop-quiz/1", "questions": [{"type": "x"}]}')
    assert {"languages", "questions.0.type"} & {each.attr for each in fault.value.errors}


def _names(size: int) -> str:
    """Return a table whose options speak for as many outcomes and categories as it holds."""
    lines, number = ["question,option,outcome,category\n"], 0
    while sum(map(len, lines)) < size - 20_000:
        names = "; ".join(f"{n:x}" for n in range(number, number + 3000))
        lines += [f"q{number},a,{names}\n", f"q{number},b,,\n", f"c{number},a,,{names}\n"]
        number += 3000
    return "".join(lines)[:size]


def _forms(size: int) -> Iterator[str]:
    """Yield forms that are small and would become large."""
    choices = {"type": "radiogroup", "name": "a", "choices": [1] * 80_000}
    yield json.dumps({"elements": [choices]})
    inside = [{"visibleIf": "a"}] * 6000
    yield json.dumps(
        {"elements": [{"type": "panel", "visibleIf": "b" * 100_000, "elements": inside}]}
    )
    title: Any = "deep"
    for _ in range(300):
        title = [title]
    yield json.dumps({"elements": [{"type": "text", "name": "a", "title": title}]})


def test_no_file_breaks_an_importer_or_takes_long() -> None:
    """Wrong files are told; a file that is nothing but signs costs no more than another."""
    size = 256 * 1024
    signs = [
        "{",
        "}",
        "~",
        "=",
        "#",
        "::",
        "\\",
        '"',
        ",",
        "%",
        "[html]<",
        "[html]&#" + "9" * 5000,
        "<a ",
        "&#",
        "a\n\n{",
        "->",
        "A)x\n",
    ]
    files = [(sign * size)[:size] for sign in signs]
    files += [("{'q'} = " + "(" * size)[:size], '{"pages":' * 20_000, "[" * size]
    nested = json.dumps({"elements": [{"type": "text", "name": "a", "visibleIf": "(" * 1999}] * 90})
    files.append(nested)
    files += [f"[html]{sign * 6000}"[:19_000] + "{T}\n\n" for sign in ("<a ", "<!--", "</", "<")]
    files[-4:] = [file * (size // len(file)) for file in files[-4:]]
    files += [("~a" * size)[: size - 3].join(("{", "}")), _names(size), *_forms(size)]
    dice = random.Random(17)
    files += [
        "".join(dice.choice("{}=~#%:\\\n\n ab\"';,<>") for _ in range(4000)) for _ in range(20)
    ]
    started = time.process_time()
    for format in FORMATS:
        for text in files:
            try:
                found = definition_import(format, text.encode())
            except Invalid:
                continue
            parse(json.dumps(found.definition).encode())
            assert len(found.skipped) <= 200
    assert time.process_time() - started < 20
    with pytest.raises(Invalid):
        definition_import("gift", b"x" * (size + 1))


def test_brackets_that_open_and_close_again_cost_what_their_length_is() -> None:
    """The square of it would take minutes."""
    found = gift.read(b"{{\n\n" + b"}{\n\n" * 500_000, "en")
    assert (found.questions, len(found.skipped)) == (0, 1)
