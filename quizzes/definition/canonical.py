"""The one way to write a definition: what is stored, exported, and compared."""

import hashlib
from typing import Any

import msgspec

from quizzes.definition.numbers import plain
from quizzes.definition.structs import Quiz


def canonical(quiz: Quiz) -> bytes:
    """Return the definition as JSON.

    Fields are in the order of the format, languages and weights by name; defaults are left out.
    Whole numbers are JSON numbers and all others strings, because JSON readers make floats.
    """
    return _encoder.encode(quiz)


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of a canonical definition, 32 bytes."""
    return hashlib.sha256(data).digest()


def _number(value: Any) -> int | str:
    text = plain(value)
    return text if "." in text else int(text)


_encoder = msgspec.json.Encoder(enc_hook=_number, order="deterministic")


def builtin(part: Any) -> Any:
    """Return a part of a definition as it is in its JSON, in dicts and lists."""
    return msgspec.to_builtins(part, enc_hook=_number, order="deterministic")
