"""The questions of a quiz as the fields of a plain form.

The scripts of the player show the same fields one at a time, so nothing is rendered twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from quizzes.definition.public import type_of
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
from quizzes.definition.texts import text_in
from quizzes.pages.player.texts import definition_of, html_of, pick

STEPS_AS_BUTTONS = 11
"""A scale with more steps is a list to choose from."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value to choose. ``place`` is where the definition has its title."""

    value: str
    title: str
    place: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A question as the form shows it."""

    key: str
    type: str
    place: str
    title: str
    text: SafeString
    has_text: bool
    is_required: bool
    is_conditional: bool
    value: str = ""
    choices: list[Choice] = field(default_factory=list)
    lines: int = 1
    max_length: int = 0
    most: int = 0
    unit: str = ""
    error: str = ""

    @property
    def has_list(self) -> bool:
        """Return whether its steps are too many to be shown beside each other."""
        return self.type == "scale" and len(self.choices) > STEPS_AS_BUTTONS


def fields_of(
    quiz: Quiz,
    language: str,
    answers: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Iterator[Field]:
    """Yield the questions in a language, with what was answered and what is wrong with it."""
    told = definition_of(quiz)["questions"]
    for n, question in enumerate(quiz.questions):
        text = pick(told[n].get("text", {}), language, quiz.languages)
        yield Field(
            key=question.key,
            type=type_of(question),
            place=f"questions.{n}",
            title=text_in(question.title, language, quiz.languages),
            text=html_of(text or []),
            has_text=bool(question.text),
            is_required=isinstance(question, Asked) and question.required,
            is_conditional=question.show_if is not None,
            error=(errors or {}).get(question.key, ""),
            **_own(question, n, quiz, language, (answers or {}).get(question.key)),
        )


def _own(question: AnyQuestion, n: int, quiz: Quiz, language: str, value: Any) -> dict[str, Any]:
    """Return what questions of one type have."""

    def words(texts: Mapping[str, str]) -> str:
        return text_in(texts, language, quiz.languages)

    match question:
        case Single() | Multiple():
            chosen = value if isinstance(value, list) else [value]
            choices = [
                Choice(
                    option.key,
                    words(option.title),
                    f"questions.{n}.options.{m}.title",
                    option.key in chosen,
                )
                for m, option in enumerate(question.options)
            ]
            most = (question.max or 0) if isinstance(question, Multiple) else 0
            return {"choices": choices, "most": most}
        case Scale():
            return {
                "choices": [
                    Choice(
                        str(step),
                        words(question.labels.get(str(step), {})),
                        f"questions.{n}.labels.{step}",
                        str(value) == str(step),
                    )
                    for step in range(question.from_, question.to + 1)
                ]
            }
        case NumberQuestion():
            return {"value": "" if value is None else str(value), "unit": words(question.unit)}
        case TextQuestion():
            return {
                "value": value or "",
                "lines": question.lines,
                "max_length": question.max_length,
            }
    return {}
