"""Answers as they are kept: validated, and one way to write each.

An answer is the key of an option, a list of keys in the author's order, a whole number of a scale,
a plain decimal string of a number, or a text. Answers of questions that are not on the path are
kept in what is saved, because the respondent may go back to them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from quizzes.definition.numbers import exact, plain
from quizzes.definition.problems import Invalid, Problem
from quizzes.definition.structs import (
    AnyQuestion,
    Asked,
    Multiple,
    NumberQuestion,
    Quiz,
    Scale,
    Single,
    TextQuestion,
)
from quizzes.scoring.visibility import path
from shop.core.text import composed, printable


class _Wrong(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def validate(quiz: Quiz, answers: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
    """Return the answers as they are kept, in the order of the questions; empty ones are left out.

    If they are to be ``complete``, the answers on the path must be all that is required. Raise
    ``Invalid`` with every fault; the places are ``answers.<key>``.
    """
    kept: dict[str, Any] = {}
    problems: list[Problem] = []
    questions = {question.key: question for question in quiz.questions}
    for key in answers:
        if not isinstance(questions.get(key), Asked):
            problems.append(
                Problem("unknown_question", "There is no such question.", f"answers.{key[:40]}")
            )
    for key, question in questions.items():
        if (value := answers.get(key)) is None or not isinstance(question, Asked):
            continue
        try:
            value = _kept(question, value)
        except _Wrong as wrong:
            problems.append(Problem(wrong.code, str(wrong), f"answers.{key}"))
        else:
            if value not in ("", []):
                kept[key] = value
    if complete and not problems:
        problems = _missing(quiz, questions, kept)
    if problems:
        raise Invalid(problems)
    return kept


def without_texts(quiz: Quiz, answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the answers to keep in the open, and the texts to seal, of validated answers."""
    texts = {question.key for question in quiz.questions if isinstance(question, TextQuestion)}
    return (
        {key: value for key, value in answers.items() if key not in texts},
        {key: value for key, value in answers.items() if key in texts},
    )


def _missing(
    quiz: Quiz, questions: Mapping[str, AnyQuestion], kept: Mapping[str, Any]
) -> list[Problem]:
    problems = []
    for key in path(quiz, kept):
        question = questions[key]
        if isinstance(question, Asked) and question.required and key not in kept:
            problems.append(Problem("required", "An answer is needed.", f"answers.{key}"))
        elif isinstance(question, Multiple) and 0 < len(kept.get(key, ())) < question.min:
            detail = f"Choose at least {question.min}."
            problems.append(Problem("too_few", detail, f"answers.{key}"))
    return problems


def _kept(question: Asked, value: Any) -> Any:
    match question:
        case Single():
            return _option(question, value)
        case Multiple():
            return _options(question, value)
        case Scale():
            return _step(question, value)
        case NumberQuestion():
            return _number(question, value)
        case TextQuestion():
            return _text(question, value)
    raise _Wrong("invalid", "This question takes no answer.")


def _option(question: Single, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("invalid", "The key of an option is needed.")
    # A loop, because a generator for each answer of each save costs twice as much.
    for option in question.options:
        if option.key == value:
            return value
    if value:
        raise _Wrong("unknown_option", "There is no such option.")
    return value


def _options(question: Multiple, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _Wrong("invalid", "A list of the keys of options is needed.")
    chosen = set(value)
    if len(chosen) < len(value):
        raise _Wrong("invalid", "An option is in the list twice.")
    ordered = [option.key for option in question.options if option.key in chosen]
    if len(ordered) < len(chosen):
        raise _Wrong("unknown_option", "There is no such option.")
    if question.max is not None and len(ordered) > question.max:
        raise _Wrong("too_many", f"Choose at most {question.max}.")
    return ordered


def _step(question: Scale, value: Any) -> int | str:
    if value == "":
        return ""
    number = _exact(value)
    if number != number.to_integral_value() or not question.from_ <= number <= question.to:
        raise _Wrong("out_of_range", f"From {question.from_} to {question.to}, in whole numbers.")
    return int(number)


def _number(question: NumberQuestion, value: Any) -> str:
    if value == "":
        return ""
    number = _exact(value)
    if question.min is not None and number < question.min:
        raise _Wrong("out_of_range", f"At least {plain(question.min)}.")
    if question.max is not None and number > question.max:
        raise _Wrong("out_of_range", f"At most {plain(question.max)}.")
    return plain(number)


def _exact(value: Any) -> Decimal:
    try:
        return exact(value)
    except ValueError as error:
        raise _Wrong("invalid", str(error)) from None


def _text(question: TextQuestion, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("invalid", "A text is needed.")
    try:
        text = composed(value.replace("\r\n", "\n")).strip()
    except ValueError as error:
        raise _Wrong("invalid", str(error)) from None
    if len(text) > question.max_length:
        raise _Wrong("too_long", f"At most {question.max_length} characters.")
    if question.lines > 1:
        if not printable(text.replace("\n", "").replace("\t", "")):
            raise _Wrong("invalid", "The text has control characters.")
    elif not printable(text):
        raise _Wrong("invalid", "The text has control characters.")
    return text
