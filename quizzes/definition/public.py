"""What a respondent's device may know of a definition.

Everything here is on a list of what may be told, because a field that somebody adds to the format
later is secret until it is put on the list.
"""

from typing import Any

from quizzes.definition.canonical import builtin
from quizzes.definition.structs import AnyQuestion, ConsentAsked, Option, Question, Quiz, Settings
from quizzes.definition.texts import text_sha256

_QUIZ = ("languages", "title", "intro")
_SETTINGS = ("back", "time_limit", "contact")
_QUESTION = ("key", "type", "title", "text", "show_if", "required")
_OPTION = ("key", "title", "pin")
_TYPES = {
    "single": ("shuffle",),
    "multiple": ("shuffle", "min", "max"),
    "scale": ("from", "to", "labels"),
    "number": ("min", "max", "unit"),
    "text": ("max_length", "lines"),
    "info": (),
}
_CONTACT = ("text", "name")


def public_part(quiz: Quiz) -> dict[str, Any]:
    """Return the definition without whatever would tell right answers, points or results.

    Fields that are left out have their defaults, as in the definition itself.
    """
    return {
        "format": quiz.format,
        **_chosen(builtin(quiz), _QUIZ),
        "settings": _chosen(_all_of(quiz.settings), _SETTINGS),
        "questions": [_question(question) for question in quiz.questions],
        "contact": {
            **_chosen(builtin(quiz.contact), _CONTACT),
            "consents": [_consent(consent) for consent in quiz.contact.consents],
        },
    }


def _consent(consent: ConsentAsked) -> dict[str, Any]:
    """Return a consent with the hash of each text, which the device sends with the answer."""
    hashes = {language: text_sha256(text) for language, text in consent.text.items()}
    return {"key": consent.key, "text": dict(consent.text), "sha256": hashes}


def _question(question: AnyQuestion) -> dict[str, Any]:
    told = _chosen(builtin(question), (*_QUESTION, *_TYPES[type_of(question)]))
    options: list[Option] = getattr(question, "options", [])
    if options:
        told["options"] = [_chosen(builtin(option), _OPTION) for option in options]
    return told


def type_of(question: Question) -> str:
    """Return the name of a question's type, such as ``single``."""
    return str(question.__struct_config__.tag)


def _all_of(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}


def _chosen(part: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: part[name] for name in names if name in part}
