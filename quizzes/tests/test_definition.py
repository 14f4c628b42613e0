"""Definitions: read, checked, written in one way, and what of them may be told."""

import copy
import json
from typing import Any

import pytest

from quizzes.definition.canonical import canonical, digest
from quizzes.definition.checks import check
from quizzes.definition.markdown import blocks, plain_text
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.definition.texts import direction, filler, language_of, text_in
from quizzes.tests.answering import coffee


def changed(path: str, value: Any) -> Any:
    """Return the definition with one place changed; ``None`` takes it away."""
    definition = copy.deepcopy(coffee())
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = definition
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    elif last == len(place) and isinstance(place, list):
        place.append(value)
    else:
        place[last] = value
    return definition


def found(definition: Any) -> set[tuple[str, str | None]]:
    return {(one.code, one.attr) for one in check(parse(definition)).errors}


def test_canonical_form_is_one():
    data = canonical(parse(coffee()))
    assert canonical(parse(data)) == data
    # Another spelling of the same definition: order, defaults, and numbers.
    other = changed("questions.0.weight", "2.00")
    other["questions"][2]["correct"] = 93.517
    other["questions"][0]["options"][1]["points"] = 0
    other["title"] = dict(reversed(other["title"].items()))
    other["settings"]["back"] = True
    again = canonical(parse(json.dumps(other, indent=2).encode()))
    assert (again, digest(again)) == (data, digest(data))
    assert b'"93.517"' in data
    assert canonical(parse(changed("title.en", "Tea"))) != data


def test_sound_definition_can_be_published():
    checked = check(parse(coffee()))
    assert (checked.errors, checked.warnings) == ([], [])
    assert checked.reach == {
        "points": ["0", "20.25"],
        "categories": {"taste": ["0", "6.25"]},
        "outcomes": {"espresso": ["0", "4"], "tea": ["0", "2"]},
    }


@pytest.mark.parametrize(
    ("path", "value", "code", "attr"),
    [
        ("format", "shop-quiz/2", "invalid", "format"),
        ("extra", 1, "unknown_field", "extra"),
        ("settings.reveal", "always", "invalid", "settings.reveal"),
        ("contact.extra", 1, "unknown_field", "contact.extra"),
        ("questions.0.key", "Roast", "invalid", "questions.0.key"),
        ("questions.0.key", "roast\n", "invalid", "questions.0.key"),
        ("questions.0.title", None, "required", "questions.0.title"),
        ("questions.0.type", "order", "invalid", "questions.0.type"),
        ("questions.0.options.0.points", "1e3", "invalid", "questions.0.options.0.points"),
        ("questions.0.options.0.points", True, "invalid", "questions.0.options.0.points"),
        ("questions.0.options.0.points", "1.2345", "invalid", "questions.0.options.0.points"),
        ("questions.0.options.0.points", "NaN", "invalid", "questions.0.options.0.points"),
        ("questions.0.options.1.outcomes.tea", [], "invalid", "questions.0.options.1.outcomes"),
        ("questions.1.show_if", {"q": "roast"}, "invalid", "questions.1.show_if"),
        ("questions.1.show_if", {"all": [], "any": []}, "invalid", "questions.1.show_if"),
    ],
)
def test_shape(path, value, code, attr):
    with pytest.raises(Invalid) as refused:
        parse(changed(path, value))
    assert (code, attr) in {(one.code, one.attr) for one in refused.value.errors}


def test_every_part_tells_its_own_fault():
    definition = changed("questions.0.options.0.key", "A B")
    definition["questions"][0]["options"][1]["pionts"] = 1
    definition["questions"][3]["points"] = "many"
    definition["outcomes"][1]["key"] = 3
    definition["result"]["blocks"][1]["when"]["band"] = "low"
    with pytest.raises(Invalid) as refused:
        parse(definition)
    assert {one.attr for one in refused.value.errors} == {
        "questions.0.options.0.key",
        "questions.0.options.1.pionts",
        "questions.3.points",
        "outcomes.1.key",
        "result.blocks.1.when.band",
    }
    for data in (b"{", b'{"a":1e99999999}', b"[" * 100_000, b'"\xff"', b" " * 300_000):
        with pytest.raises(Invalid):
            parse(data)


def test_checks():
    roast: dict[str, Any] = coffee()["questions"][0]
    deep: Any = {"q": "roast", "answered": True}
    for _ in range(3):
        deep = {"all": [deep]}
    for path, value, code, attr in [
        ("questions.1.key", "roast", "duplicate", "questions.1.key"),
        ("questions.0.options.1.key", "dark", "duplicate", "questions.0.options.1.key"),
        ("questions.0.options", [], "no_options", "questions.0.options"),
        ("questions", [], "no_questions", "questions"),
        ("languages.2", "en", "duplicate", "languages"),
        ("languages.2", "fr", "text_missing", "title.fr"),
        ("title.de", " ", "text_missing", "title.de"),
        ("title.fr", "Café", "unknown_language", "title.fr"),
        ("title.en", "a\u0007", "characters", "title.en"),
        ("title.en", "\U000e0041\ue000", "glyphs", "title.en"),
        ("outcomes.0.text.en", "{{score}}", "placeholder", "outcomes.0.text.en"),
        ("outcomes.0.text.en", "{{category.x.band}}", "placeholder", "outcomes.0.text.en"),
        ("questions.0.show_if", {"q": "cups", "gte": 1}, "not_earlier", "questions.0.show_if"),
        ("questions.1.show_if", {"q": "roast", "is": ["x"]}, "unknown_option", None),
        ("questions.1.show_if", {"q": "roast", "gte": 1}, "condition", None),
        ("questions.2.show_if", {"q": "cups", "is": [11]}, "unknown_option", None),
        ("questions.4.show_if", {"q": "capital", "is": ["x"]}, "condition", None),
        ("questions.1.show_if", {"any": []}, "empty", None),
        ("questions.1.show_if", deep, "too_deep", None),
        ("questions.2.show_if", {"q": "cups", "gte": 11}, "never_shown", None),
        ("questions.1.show_if", {"q": "roast", "answered": False}, "never_shown", None),
        ("questions.1.to", 0, "range", "questions.1.to"),
        ("questions.1.labels", {"11": {"en": "x"}}, "range", "questions.1.labels.11"),
        ("questions.2.tolerance", -1, "range", "questions.2.tolerance"),
        ("questions.2.max", 50, "range", "questions.2.correct"),
        ("questions.2.correct", None, "no_correct", "questions.2.points"),
        ("questions.4.rule", "exact", "no_correct", "questions.4.options"),
        ("questions.4.min", 3, "range", "questions.4.min"),
        ("questions.4.points", 3, "points", "questions.4.points"),
        ("questions.0.weight", 0, "range", "questions.0.weight"),
        ("questions.0.weight", "0.5", "too_exact", "questions.0.options.0.points"),
        ("questions.2.points", 1001, "range", "questions.2.points"),
        ("questions.0.categories.0", "x", "unknown_category", "questions.0.categories.0"),
        ("questions.0.options.0.outcomes.x", 1, "unknown_outcome", None),
        ("questions.0.options.0.excludes.0", "espresso", "fallback_excluded", None),
        ("questions.0.options.1.outcomes", {}, "unreachable", "outcomes.1.key"),
        ("result.blocks.0.when.band.0", "x", "unknown_band", "result.blocks.0.when.band.0"),
        ("result.blocks.1.when.category", "x", "unknown_category", None),
        ("bands.0.from", 1, "first_band", "bands.0.from"),
        ("bands.1.from", 0, "order", "bands.1.from"),
        ("bands.1.from", 101, "range", "bands.1.from"),
        ("fallback", None, "no_fallback", "fallback"),
        ("fallback", "x", "unknown_outcome", "fallback"),
        ("settings.headline", "outcome", "no_headline", "outcomes"),
        ("questions", [roast | {"key": f"q{n}"} for n in range(201)], "too_many", "questions"),
    ]:
        definition = changed(path, value)
        if code == "no_headline":
            definition["outcomes"] = []
        problems = found(definition)
        assert (code, attr) in problems or (attr is None and code in {c for c, _ in problems}), (
            path,
            value,
            problems,
        )
    # A key keeps its type over versions.
    types = {"roast": "text", "cups": "scale"}
    errors = check(parse(coffee()), types).errors
    assert [(one.code, one.attr) for one in errors] == [("type_changed", "questions.0.type")]


def test_markdown_is_one_tree_and_never_html():
    text = (
        "# Hi\nthere **{{name}}** [a](https://x.example) [b](javascript:x) <b>\n\n"
        "- one\n  - two *x*\n\n1. a\n\n![i](http://x.example)"
    )
    tree = blocks(text, filler({"name": "*evil* [x](https://evil.example) <i>"}.__getitem__))
    assert [block["type"] for block in tree] == [
        "heading",
        "paragraph",
        "list",
        "list",
        "paragraph",
    ]
    kinds = [inline["type"] for inline in tree[1]["children"]]
    assert kinds == ["text", "strong", "text", "link", "text"]
    # What is filled in is text, whatever it looks like.
    assert tree[1]["children"][1]["children"] == [
        {"type": "text", "text": "*evil* [x](https://evil.example) <i>"}
    ]
    assert plain_text(tree).splitlines()[2:] == [
        "- one",
        "- two x",
        "1. a",
        "![i](http://x.example)",
    ]


def test_languages():
    languages = ["en", "de", "pt-BR"]
    for wanted, served in [("de-AT", "de"), ("pt", "pt-BR"), ("fr", "en"), ("pt-BR", "pt-BR")]:
        assert language_of(wanted, languages) == served
    assert text_in({"de": "Hallo"}, "pt-BR", languages) == "Hallo"
    assert [direction(one) for one in ("ar", "he-IL", "de")] == ["rtl", "rtl", "ltr"]
