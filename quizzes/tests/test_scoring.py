"""The vectors of scoring. The player's JavaScript runs their paths, too."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from quizzes.definition.numbers import plain
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.definition.reaching import reach_of_quiz
from quizzes.scoring.answers import validate
from quizzes.scoring.result import rounded, score, stored
from quizzes.tests.generated import cases

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


def test_whatever_is_answered_has_a_score_that_its_kept_answers_give_again():
    for case in cases(500):
        found = score(case.quiz, case.answers)
        assert found.path == case.path
        assert set(found.answers) == set(case.path) & set(case.answers)
        # Answers off the path change nothing, and neither does their order.
        again = score(case.quiz, dict(reversed(list(found.answers.items()))))
        assert again == replace(found, answers=again.answers)
        assert again.answers == found.answers
        # Every percent is in exactly one band, also the kept and the told one.
        percent = found.percent or 0
        assert 0 <= percent <= 100
        assert found.band == ("high" if percent >= case.quiz.bands[1].from_ else "low")
        kept = stored(found.percent)
        assert rounded(kept) == rounded(found.percent)
        bounds = [Decimal(end) for end in reach_of_quiz(case.quiz)["points"]]
        assert bounds[0] <= found.points <= found.max <= bounds[1]
