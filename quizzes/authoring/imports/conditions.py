"""The conditions of SurveyJS, as far as a quiz's questions can be shown by the like.

Source: https://surveyjs.io/form-library/documentation/design-survey/conditional-logic.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import Unusable, number_of

MAX_LENGTH = 2000
MAX_DEPTH = 20
_TOKEN = re.compile(
    r"\s*(?:\{([^{}]{1,200})\}|'([^']*)'|\"([^\"]*)\"|(-?[0-9]+(?:\.[0-9]+)?)(?![\w.])"
    r"|(<=|>=|<>|!=|==|&&|\|\||[=<>()\[\],!])|([A-Za-z]+))"
)
_OPERATORS = {
    "=": "is",
    "==": "is",
    "equal": "is",
    "contains": "is",
    "contain": "is",
    "anyof": "is",
    "<>": "not",
    "!=": "not",
    "notequal": "not",
    "notcontains": "not",
    "noneof": "not",
    ">=": "gte",
    "greaterorequal": "gte",
    "<=": "lte",
    "lessorequal": "lte",
    ">": "above",
    "greater": "above",
    "<": "below",
    "less": "below",
}


class Known(NamedTuple):
    """A question that was taken over, and the keys of its options by their values."""

    key: str
    type: str
    values: Mapping[str, str]


def condition_of(text: str, known: Mapping[str, Known]) -> dict[str, Any]:
    """Return the condition as a definition has it. Raise ``Unusable`` if it is another kind."""
    if len(text) > MAX_LENGTH:
        raise _fault()
    reader = _Reader(_tokens(text), known)
    found = reader.either(0)
    if reader.place != len(reader.tokens):
        raise _fault()
    return found


def _fault(detail: str = "") -> Unusable:
    return Unusable("condition", detail or _("Its condition cannot be imported."))


def _tokens(text: str) -> list[tuple[str, str]]:
    """Return pairs of a kind (``name``, ``value``, ``sign``) and a text."""
    tokens, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _fault()
        name, single, double, number, sign, word = match.groups()
        if name is not None:
            tokens.append(("name", name))
        elif sign is not None or (word is not None and word not in ("true", "false")):
            tokens.append(("sign", (sign or word).lower()))
        else:
            value = next(one for one in (single, double, number, word) if one is not None)
            tokens.append(("value", value))
        place = match.end()
    return tokens


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], known: Mapping[str, Known]) -> None:
        self.tokens, self.known, self.place = tokens, known, 0

    def either(self, depth: int) -> dict[str, Any]:
        """Read conditions of which one must hold."""
        return self._joined("any", ("or", "||"), self.both, depth)

    def both(self, depth: int) -> dict[str, Any]:
        """Read conditions that must all hold."""
        return self._joined("all", ("and", "&&"), self.one, depth)

    def _joined(self, name: str, signs: tuple[str, ...], part: Any, depth: int) -> dict[str, Any]:
        parts = [part(depth)]
        while self._next("sign", *signs):
            parts.append(part(depth))
        if len(parts) == 1:
            found: dict[str, Any] = parts[0]
            return found
        flat: list[Any] = []
        for each in parts:
            flat += each.get(name, [each])
        return {name: flat}

    def one(self, depth: int) -> dict[str, Any]:
        """Read a condition in brackets, or on one question."""
        if depth > MAX_DEPTH:
            raise _fault()
        if self._next("sign", "("):
            found = self.either(depth + 1)
            if not self._next("sign", ")"):
                raise _fault()
            return found
        kind, name = self._take()
        if kind != "name":
            raise _fault()
        question = self.known.get(name)
        if question is None:
            raise _fault(
                _("Its condition asks for %(name)s, which is no question before it.")
                % {"name": name[:40]}
            )
        sign = self._take()
        if sign in (("sign", "notempty"), ("sign", "empty")):
            return {"q": question.key, "answered": sign[1] == "notempty"}
        operator = _OPERATORS.get(sign[1]) if sign[0] == "sign" else None
        if operator is None:
            raise _fault()
        return _leaf(question, operator, self._values())

    def _values(self) -> list[str]:
        if not self._next("sign", "["):
            return [self._value()]
        values = [self._value()]
        while self._next("sign", ","):
            values.append(self._value())
        if not self._next("sign", "]"):
            raise _fault()
        return values

    def _value(self) -> str:
        kind, value = self._take()
        if kind != "value":
            raise _fault()
        return value

    def _take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise _fault()
        self.place += 1
        return self.tokens[self.place - 1]

    def _next(self, kind: str, *texts: str) -> bool:
        if self.place < len(self.tokens):
            found = self.tokens[self.place]
            if found[0] == kind and found[1] in texts:
                self.place += 1
                return True
        return False


def _leaf(question: Known, operator: str, values: list[str]) -> dict[str, Any]:
    if operator in ("above", "below"):
        if question.type != "scale":
            raise _fault(_("A condition can ask for at least or at most a number."))
        step = 1 if operator == "above" else -1
        number = number_of(values[0])
        if not isinstance(number, int):
            raise _fault()
        return {"q": question.key, "gte" if operator == "above" else "lte": number + step}
    if operator in ("gte", "lte"):
        if question.type not in ("scale", "number"):
            raise _fault()
        return {"q": question.key, operator: number_of(values[0])}
    if question.type == "number" and operator == "is" and len(values) == 1:
        number = number_of(values[0])
        return {"all": [{"q": question.key, "gte": number}, {"q": question.key, "lte": number}]}
    if question.type == "scale":
        found: list[Any] = [number_of(value) for value in values]
    else:
        found = [question.values[value] for value in values if value in question.values]
    if len(found) != len(values):
        raise _fault(
            _("Its condition asks for an answer that %(name)s does not have.")
            % {"name": question.key}
        )
    leaf = {"q": question.key, operator: found}
    if operator == "not":
        # In SurveyJS a question without an answer is unequal to everything.
        return {"any": [leaf, {"q": question.key, "answered": False}]}
    return leaf
