"""The vectors of scoring. The player's JavaScript runs their paths, too."""

import json
from pathlib import Path

import pytest

from quizzes.definition.numbers import plain
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.scoring.answers import validate
from quizzes.scoring.result import rounded, score

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
QUIZZES = {key: parse(quiz) for key, quiz in VECTORS["quizzes"].items()}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"][:60])
def test_vector(case):
    quiz = QUIZZES[case["quiz"]]
    complete = case.get("complete", False)
    if "problems" in case:
        with pytest.raises(Invalid) as refused:
            validate(quiz, case["answers"], complete=complete)
        assert [[one.code, one.attr] for one in refused.value.errors] == case["problems"]
        return
    found = score(quiz, validate(quiz, case["answers"], complete=complete))
    told = {
        "path": found.path,
        "points": plain(found.points),
        "max": plain(found.max),
        "percent": rounded(found.percent),
        "band": found.band,
        "outcome": found.outcome,
        "tied_with": found.tied_with,
        "categories": {one.key: [rounded(one.percent), one.band] for one in found.categories},
        "answered": list(found.answers),
        "correct": found.correct,
    }
    wanted = {name: case[name] for name in told if name in case}
    assert wanted
    assert {name: told[name] for name in wanted} == wanted


def test_kept_answers_are_written_one_way():
    quiz = QUIZZES["multi"]
    assert validate(quiz, {"m": ["b", "a"]}, complete=False) == {"m": ["a", "b"]}
    assert validate(QUIZZES["numbers"], {"n": "3.50"}, complete=False) == {"n": "3.5"}
    assert validate(QUIZZES["likert"], {"n2": "3", "n1": 2}, complete=False) == {"n1": 2, "n2": 3}
    # The answers of a branch that was left are kept until the end.
    left = {"car": "no", "ev": "yes", "kwh": "lots"}
    assert validate(QUIZZES["branch"], left, complete=False) == left
