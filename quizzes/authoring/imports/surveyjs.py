"""SurveyJS: forms in JSON, as far as their questions are those of a quiz.

Source: https://surveyjs.io/form-library/documentation/design-survey/create-a-simple-survey.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import (
    Draft,
    Imported,
    Unusable,
    begin,
    clipped,
    key_of,
    may_have_another,
    number_of,
    unsupported,
)
from quizzes.authoring.imports.conditions import MAX_LENGTH, Known, condition_of
from quizzes.authoring.imports.html_text import text_of
from quizzes.definition.parse import TOO_DEEP, decoded, is_too_deep
from quizzes.definition.problems import Invalid, Problem

MAX_ELEMENTS = 2000
MAX_DEPTH = 10
LANGUAGES = 40


class _File:
    """The file, and what is known so far of the questions that were taken over."""

    def __init__(self, draft: Draft, text: str) -> None:
        self.draft, self.text = draft, text
        self.known: dict[str, Known] = {}

    def line_of(self, element: Mapping[str, Any]) -> int | None:
        """Return the line where the name of an element stands first."""
        name = element.get("name")
        place = self.text.find(json.dumps(name)) if isinstance(name, str) else -1
        return self.text.count("\n", 0, place) + 1 if place >= 0 else None


def read(data: bytes, language: str) -> Imported:
    """Return what a quiz has of the questions of a form. Raise ``Invalid`` for other files."""
    draft, text = begin(data, language)
    form = decoded(text.encode())
    if is_too_deep(form):
        raise Invalid([TOO_DEEP])
    if not isinstance(form, dict) or not any(k in form for k in ("pages", "elements", "questions")):
        raise Invalid([Problem("invalid", "This is not a form of SurveyJS.")])
    elements = list(islice(_elements(form, None, 0), MAX_ELEMENTS))
    first = form.get("locale")
    draft.language = first if isinstance(first, str) and first else language
    draft.languages = _languages(draft.language, form, [element for element, _ in elements])
    titles = _texts(draft, form.get("title"))
    file = _File(draft, text)
    for element, shown_if in elements:
        line = file.line_of(element)
        draft.attempt(line, lambda e=element, s=shown_if, n=line: _add(file, e, s, n))  # type: ignore[misc]
    imported = draft.finish()
    if all(titles.values()):
        imported.definition["title"] = titles
    return imported


def _elements(
    part: Mapping[str, Any], shown_if: str | None, depth: int
) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Yield the questions with the conditions of the panels and pages around them."""
    if depth > MAX_DEPTH:
        return
    for name in ("pages", "elements", "questions"):
        inside = part.get(name)
        for element in inside if isinstance(inside, list) else ():
            if not isinstance(element, dict):
                continue
            both = [str(text) for text in (shown_if, element.get("visibleIf")) if text]
            whole = " and ".join(f"({text})" for text in both) if len(both) > 1 else "".join(both)
            # One that is too long is refused later, and until then each question keeps it.
            condition = whole[: MAX_LENGTH + 1] or None
            if name == "pages" or element.get("type") == "panel":
                yield from _elements(element, condition, depth + 1)
            else:
                yield element, condition


def _languages(main: str, form: Mapping[str, Any], elements: list[Mapping[str, Any]]) -> list[str]:
    """Return the languages that the texts are written in, that of "default" first."""
    found = {main: None}
    texts: list[Any] = [form.get("title")]
    for element in elements:
        choices = element.get("choices")
        texts += [element.get("title"), element.get("html")]
        texts += [c.get("text") for c in _list(choices) if isinstance(c, dict)]
    for each in texts:
        for name in each if isinstance(each, dict) else ():
            if name != "default" and _is_language(name):
                found[name] = None
    return list(found)[:LANGUAGES]


def _is_language(name: Any) -> bool:
    parts = str(name).split("-")
    return 2 <= len(parts[0]) <= 3 and parts[0].isalpha() and parts[0].islower() and len(parts) == 1


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(draft: Draft, value: Any, otherwise: str = "") -> dict[str, str]:
    """Return a text in each of the quiz's languages; one that is missing is as the default."""
    languages = draft.languages or [draft.language]
    if not isinstance(value, dict):
        written = otherwise if value is None else _written(value)
        return dict.fromkeys(languages, clipped(_plain(written)))
    given = {name: text for name, text in value.items() if isinstance(text, str)}
    default = given.get("default") or given.get(draft.language) or next(iter(given.values()), "")
    return {each: clipped(_plain(given.get(each, default))) for each in languages}


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _plain(text: str) -> str:
    return text_of(text) if "</" in text or "/>" in text or "<br" in text else text


def _add(file: _File, element: Mapping[str, Any], shown_if: str | None, line: int | None) -> None:
    draft, kind = file.draft, str(element.get("type", ""))
    make = _KINDS.get(kind)
    if make is None:
        raise unsupported(_("A question of type %(kind)s") % {"kind": kind[:40] or "–"})
    name = str(element.get("name", ""))
    values: dict[str, str] = {}
    question = make(draft, element, values)
    if kind == "html":
        question["title"] = _texts(draft, element.get("html"))
    else:
        question["title"] = _texts(draft, element.get("title"), name)
        if element.get("isRequired") is True:
            question["required"] = True
    if not any(question["title"].values()):
        raise Unusable("no_question", _("It has no text."))
    if shown_if is not None:
        question["show_if"] = condition_of(shown_if, file.known)
    draft.add(name, question)
    file.known[name] = Known(draft.questions[-1]["key"], question["type"], values)
    for lost in ("hasOther", "showOtherItem", "hasComment", "showCommentArea"):
        if element.get(lost) is True:
            draft.note(line, "comments", _("The field for other answers was left out."))


def _choices(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> list[Any]:
    if element.get("choicesByUrl") or element.get("choicesFromQuestion"):
        raise unsupported(_("A question whose choices come from elsewhere"))
    right = element.get("correctAnswer")
    rights = {_written(each) for each in (right if isinstance(right, list) else [right])}
    options: list[dict[str, Any]] = []
    taken: set[str] = set()
    given = [*_list(element.get("choices"))]
    if element.get("hasNone") is True or element.get("showNoneItem") is True:
        given.append({"value": "none", "text": element.get("noneText", "None")})
    for choice in given:
        may_have_another(options)
        item = choice if isinstance(choice, dict) else _item(choice)
        value = _written(item.get("value", ""))
        key = key_of(value, taken, f"o{len(options) + 1}", most=24)
        taken.add(key)
        values[value] = key
        option: dict[str, Any] = {"key": key, "title": _texts(draft, item.get("text"), value)}
        score = item.get("score")
        if score is not None:
            option["points"] = number_of(str(score))
        if right is not None and value in rights:
            option["correct"] = True
        options.append(option)
    if len(options) < 2:
        raise Unusable("too_few_options", _("There are fewer than two options."))
    if right is not None and not any(option.get("correct") for option in options):
        raise Unusable("no_answer", _("The right answer is none of the choices."))
    return options


def _item(choice: Any) -> dict[str, Any]:
    """Return the value and the text of a choice that is written as one text, as ``no|Not yet``."""
    if isinstance(choice, str) and "|" in choice:
        value, _bar, text = choice.partition("|")
        return {"value": value, "text": text}
    return {"value": choice}


def _single(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    if element.get("type") == "imagepicker" and element.get("multiSelect") is True:
        return _multiple(draft, element, values)
    options = _choices(draft, element, values)
    for option in options:
        if option.get("correct"):
            option.setdefault("points", 1)
    return {"type": "single", "options": options} | _shuffled(element)


def _multiple(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    options = _choices(draft, element, values)
    question: dict[str, Any] = {"type": "multiple", "options": options}
    scored = any("points" in option for option in question["options"])
    if element.get("correctAnswer") is not None and not scored:
        question |= {"rule": "exact", "points": 1}
    most = element.get("maxSelectedChoices")
    if isinstance(most, int) and 0 < most < len(question["options"]):
        question["max"] = most
    return question | _shuffled(element)


def _shuffled(element: Mapping[str, Any]) -> dict[str, Any]:
    return {"shuffle": True} if element.get("choicesOrder") == "random" else {}


def _boolean(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    options = draft.yes_and_no(True, points=0)
    del options[0]["points"], options[0]["correct"]
    for option, truth, name in zip(options, (True, False), ("True", "False"), strict=True):
        value = _written(element.get(f"value{name}", truth))
        values[value] = values[_written(truth)] = option["key"]
        word = option["title"][draft.language]
        label = element.get(f"label{name}")
        option["title"] = _texts(draft, label, word)
        right = element.get("correctAnswer")
        if right is not None and _written(right) in (value, _written(truth)):
            option |= {"points": 1, "correct": True}
    return {"type": "single", "options": options}


def _rating(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    if element.get("rateValues"):
        return _single(draft, {**element, "choices": element["rateValues"]}, values)
    low, high = element.get("rateMin", 1), element.get("rateMax", element.get("rateCount", 5))
    if element.get("rateStep", 1) != 1 or not isinstance(low, int) or not isinstance(high, int):
        raise unsupported(_("A rating whose steps are not 1"))
    if not -1000 <= low < high <= 1000 or high - low > 100:
        raise Unusable("scale", _("A scale has from 2 to 101 steps."))
    labels = {}
    for end, name in ((low, "minRateDescription"), (high, "maxRateDescription")):
        if element.get(name):
            labels[str(end)] = _texts(draft, element[name])
    return {"type": "scale", "from": low, "to": high} | ({"labels": labels} if labels else {})


def _text(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    right, kind = element.get("correctAnswer"), element.get("inputType", "text")
    if kind in ("number", "range"):
        question: dict[str, Any] = {"type": "number"}
        for name in ("min", "max"):
            if element.get(name) not in (None, ""):
                question[name] = number_of(str(element[name]))
        if right is not None:
            question |= {"correct": number_of(str(right)), "points": 1}
        return question
    if kind not in ("text", "tel", "url"):
        raise unsupported(_("A field for %(kind)s") % {"kind": str(kind)[:40]})
    question = {"type": "text"}
    if element.get("type") == "comment":
        question["lines"] = 4
    if right is not None:
        given = right if isinstance(right, list) else [right]
        question |= {"correct": [clipped(_written(each))[:200] for each in given], "points": 1}
    return question


def _html(draft: Draft, element: Mapping[str, Any], values: dict[str, str]) -> dict[str, Any]:
    return {"type": "info"}


_Maker = Callable[[Draft, Mapping[str, Any], dict[str, str]], dict[str, Any]]
_KINDS: dict[str, _Maker] = {
    "radiogroup": _single,
    "dropdown": _single,
    "buttongroup": _single,
    "imagepicker": _single,
    "checkbox": _multiple,
    "tagbox": _multiple,
    "boolean": _boolean,
    "rating": _rating,
    "text": _text,
    "comment": _text,
    "html": _html,
}
