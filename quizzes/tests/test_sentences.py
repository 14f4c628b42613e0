"""Whatever is wrong with a definition or a file is told in the reader's language on pages."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from accounts.models import User
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid, Problem
from quizzes.pages.editing.sentences import SENTENCES, in_words, translated
from quizzes.pages.editing.words import WORDS, sentence, told
from quizzes.tests.answering import coffee
from quizzes.tests.test_quiz_schema import FAULTS
from tests.system import ROOT

QUIZZES = ROOT / "quizzes"
SOURCES = (
    *sorted((QUIZZES / "definition").glob("*.py")),
    *sorted((QUIZZES / "authoring" / "imports").glob("*.py")),
    QUIZZES / "authoring" / "drafts.py",
)


def _text(node: ast.expr | None) -> str:
    """Return a text of the source, with something for each value in it; empty for other things."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "7" for part in node.values)
    return ""


def _told(path: Path) -> Iterator[tuple[str, str]]:
    """Yield code and sentence of each fault that a module may tell."""
    module = ast.parse(path.read_text())
    details = sorted(
        (node.lineno, _text(node.value))
        for node in ast.walk(module)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "detail"
    )
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        name, given = node.func.id, node.args
        if name in ("Problem", "_unfit") and len(given) > 1:
            before = [text for line, text in details if line < node.lineno]
            named = isinstance(given[1], ast.Name) and given[1].id == "detail"
            yield _text(given[0]), before[-1] if named else _text(given[1])
        elif name == "ValueError" and given:
            yield "invalid", _text(given[0])


def test_the_sources_tell_nothing_that_has_no_sentence() -> None:
    # Codes that are put together are those of `WORDS`.
    found = {
        (code, detail)
        for path in SOURCES
        for code, detail in _told(path)
        if detail and code not in WORDS and "7" not in code
    }
    assert len(found) > 25
    with override("de"):
        assert [each for each in sorted(found) if in_words(each[1]) == each[1]] == []
        assert len(translated()) == len(set(SENTENCES))
    with override("en"):
        assert [each for each in found if in_words(each[1]) != each[1]] == []
        assert translated() == []


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_the_shape_are_told_in_the_readers_language(name: str) -> None:
    whole: Any = json.loads(json.dumps(coffee()))
    FAULTS[name](whole)
    with pytest.raises(Invalid) as refused:
        parse(whole)
    for problem in refused.value.errors:
        with override("de"):
            assert sentence(problem) != problem.detail
        with override("en"):
            assert sentence(problem)


FILES = {
    "not JSON": ("quiz", b"{", "Das ist kein JSON."),
    "no form": ("surveyjs", b"{}", "SurveyJS"),
    "too large": ("gift", b"x" * 300_000, "256"),
    "no columns": ("csv", b"a,b\n1,2\n", "Spalte"),
    "a fault inside": (
        "quiz",
        json.dumps({**coffee(), "languages": "en"}).encode(),
        "Erwartet wird `array`",
    ),
    "a quotation mark": ("csv", b'question,option\n"Who?,a\n', "Anführungszeichen"),
    "no answer": ("aiken", b"Who?\nA. me\nB. you\n", "ANSWER"),
    "an essay": ("gift", b"Who? {}", "Aufsatz"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", FILES)
def test_faults_of_files_are_german_on_the_page_and_english_in_the_api(name: str) -> None:
    format, data, told = FILES[name]
    client = Client(headers={"Accept-Language": "de"})
    client.force_login(User.objects.create(username="boss", is_superuser=True, is_staff=True))
    body = {
        "company": "shop",
        "action": "import",
        "format": format,
        "file": SimpleUploadedFile("quiz", data),
    }
    page = client.post(reverse("quiz_list"), body)
    assert page.status_code == 400
    assert told in page.content.decode()
    path = f"/api/v1/companies/shop/quizzes/import/?format={format}"
    answer = client.post(path, data, "text/plain")
    assert answer.status_code == 400
    assert told not in " ".join(each["detail"] for each in answer.json()["errors"]) or told in (
        "256",
        "SurveyJS",
        "ANSWER",
    )


def test_the_place_of_a_fault_costs_what_its_length_is() -> None:
    """It holds the name of a field, and the square of a long one would take an hour."""
    assert told(Problem("required", "", "z" * 1_000_000)) == told(Problem("required", "", None))
    assert "3" in told(Problem("required", "", "questions.2.title"))
    assert told(Problem("required", "", "questions." + "9" * 10_000))
