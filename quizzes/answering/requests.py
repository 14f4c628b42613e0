"""What a respondent's device sends, checked before anything is written."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from quizzes.answering.definitions import Definition
from quizzes.answering.errors import refused
from quizzes.answering.models import LANGUAGE_MAX_LENGTH
from quizzes.definition.parse import problem_of
from quizzes.definition.problems import Invalid, Problem
from quizzes.definition.structs import Asked
from quizzes.scoring.answers import validate, without_texts
from quizzes.scoring.visibility import path
from shop.core.errors import NotAuthenticated
from shop.core.text import printable

MAX_BYTES = 64 * 1024
MAX_ANSWERS = 400
MAX_SOURCES = 10
SECRET_BYTES = 32
DAY_MILLISECONDS = 24 * 60 * 60 * 1000

Rev = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_encoder = msgspec.json.Encoder(order="deterministic")
_SECRET = re.compile(r"[Aa]ttempt ([A-Za-z0-9_-]{43})=?")


class NoSecret(NotAuthenticated):
    """The request does not say whose attempt it is about."""

    detail = "Send the attempt's secret: Authorization: Attempt <32 bytes in base64url>."


class SaveBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT attempts/{id}/``: the whole state of an attempt."""

    rev: Rev
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    language: Annotated[str, Meta(max_length=LANGUAGE_MAX_LENGTH)]
    answers: Annotated[dict[str, Any], Meta(max_length=MAX_ANSWERS)]
    at: Annotated[str, Meta(max_length=40)] | None = None
    times: dict[str, Annotated[int, Meta(ge=0, le=DAY_MILLISECONDS)]] = {}
    source: Annotated[
        dict[Annotated[str, Meta(pattern="^[a-z_]{1,20}$")], Annotated[str, Meta(max_length=200)]],
        Meta(max_length=MAX_SOURCES),
    ] = {}
    test: bool = False


class FinishBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST attempts/{id}/finish/``."""

    rev: Rev
    answers: Annotated[dict[str, Any], Meta(max_length=MAX_ANSWERS)]


class Secret:
    """An attempt's secret. Only its SHA-256 is kept, so only the device can make a digest again."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256(raw).digest()

    def digest_of(self, content: Any) -> bytes:
        """Return what tells a repeated request from another one.

        It is keyed by the secret, so it does not help anybody to guess a text that was erased.
        """
        return hmac.digest(self._raw, _encoder.encode(content), "sha256")


class Save(msgspec.Struct):
    """A valid state of an attempt, as the database keeps it; ``texts`` are to be sealed."""

    id: UUID
    quiz_id: UUID
    version_id: int
    version: int
    secret: Secret
    rev: int
    digest: bytes
    language: str
    answers: dict[str, Any]
    texts: dict[str, str]
    at: str
    seen: list[str]
    times: dict[str, int]
    source: dict[str, str]
    test: bool
    path_length: int


class Finish(msgspec.Struct):
    """What an attempt is to be finished with. Its version says which answers are valid."""

    id: UUID
    quiz_id: UUID
    secret: Secret
    rev: int
    answers: dict[str, Any]


def secret_of(authorization: str) -> Secret:
    """Return the secret in the header ``Authorization``. Raise ``NoSecret``."""
    match = _SECRET.fullmatch(authorization)
    if match is None:
        raise NoSecret()
    return Secret(urlsafe_b64decode(match[1] + "="))


def read_save(data: Any) -> SaveBody:
    """Return what the JSON of a PUT says. Raise ``ValidationFailed``."""
    found: SaveBody = _read(data, SaveBody)
    problems = [
        Problem("invalid", "The text has control characters.", f"source.{name}")
        for name, text in found.source.items()
        if not printable(text)
    ]
    if problems:
        raise refused(problems)
    return found


def read_finish(data: Any) -> FinishBody:
    """Return what the JSON of a finish says. Raise ``ValidationFailed``."""
    found: FinishBody = _read(data, FinishBody)
    return found


def _read(data: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise refused([problem_of(str(error))]) from None


def save_of(id: UUID, secret: Secret, body: SaveBody, version: Definition) -> Save:
    """Return the state to save, valid under the version. Raise ``ValidationFailed``."""
    quiz = version.quiz
    problems = []
    if body.language not in quiz.languages:
        problems.append(Problem("invalid", "The quiz is not in this language.", "language"))
    questions = _questions(version)
    if body.at is not None and body.at not in questions:
        problems.append(Problem("unknown_question", "There is no such question.", "at"))
    problems += [
        Problem("unknown_question", "There is no such question.", f"times.{key[:40]}")
        for key in body.times
        if key not in questions
    ]
    try:
        answers = validate(quiz, body.answers, complete=False)
    except Invalid as invalid:
        problems += invalid.errors
    if problems:
        raise refused(problems)
    shown = path(quiz, answers)
    kept, texts = without_texts(quiz, answers)
    return Save(
        id=id,
        quiz_id=version.quiz_id,
        version_id=version.id,
        version=version.number,
        secret=secret,
        rev=body.rev,
        digest=secret.digest_of(
            [version.number, body.language, answers, body.at, body.times, body.test]
        ),
        language=body.language,
        answers=kept,
        texts=texts,
        at=body.at or "",
        seen=_seen(shown, answers, body.at, questions),
        times=body.times,
        source=body.source,
        test=body.test,
        path_length=len(shown),
    )


def _questions(version: Definition) -> dict[str, bool]:
    """Return the keys of a version's questions, and whether each is answered."""
    return {question.key: isinstance(question, Asked) for question in version.quiz.questions}


def _seen(
    shown: list[str], answers: dict[str, Any], at: str | None, questions: dict[str, bool]
) -> list[str]:
    """Return the questions of the path that were shown so far.

    Those are the ones up to ``at``; a device that does not tell it shows the first one without an
    answer.
    """
    if at in shown:
        return shown[: shown.index(at) + 1]
    for place, key in enumerate(shown):
        if questions[key] and key not in answers:
            return shown[: place + 1]
    return shown
