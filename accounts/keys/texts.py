"""The texts of keys, and how a repeated request gets the same one.

A text is random, unless the request has an ``Idempotency-Key``. Then it follows from that key, the
row's id, and a secret of ``DATA_KEYS``. So the answer can be given once more, though the text is
not stored. Whoever reads the database learns neither the text nor the idempotency key.
"""

import hmac
import secrets
import string
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from accounts.models import Token, TokenKind, User
from shop.core.idempotency import IdempotencyKeyReused
from shop.core.sealing import derive

PREFIX = "shk_"
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 43
"""So many characters of the alphabet have 256 bits."""
_HALF = 32


class Made(NamedTuple):
    """A key that was made, and its text. ``replayed`` tells that an earlier request made it."""

    key: Token
    text: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with an idempotency key. ``stored`` is a digest of the key and one of the body."""

    idempotency_key: str
    stored: str

    @classmethod
    def of(cls, idempotency_key: str | None, route: str, body: Any) -> "Asked | None":
        """Return the request, or ``None`` if it has no idempotency key."""
        if idempotency_key is None:
            return None
        parts = (f"{route} {idempotency_key}", repr(body))
        digests = [sha256(part.encode()).hexdigest()[:_HALF] for part in parts]
        return cls(idempotency_key, "".join(digests))

    def text(self, id: UUID, key_id: str = "") -> str:
        """Return the text of the key with this id."""
        said = id.bytes + self.idempotency_key.encode()
        return _spelled(hmac.digest(derive("api-key", key_id), said, "sha256"))


def random_text() -> str:
    """Return the text of a new key."""
    return _spelled(secrets.token_bytes(32))


def _spelled(bits: bytes) -> str:
    number = int.from_bytes(bits)
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return PREFIX + "".join(letters)


def made_before(user: User, asked: Asked | None) -> Made | None:
    """Return the key that the same request made before, as long as it has not ended.

    Raise ``IdempotencyKeyReused`` if it had another body, and if a key of ``DATA_KEYS`` is gone.
    """
    if asked is None:
        return None
    keys = Token.objects.filter(user=user, kind=TokenKind.KEY)
    key = keys.filter(asked__startswith=asked.stored[:_HALF]).first()
    if key is None:
        return None
    texts = [asked.text(key.id, key_id) for key_id in settings.DATA_KEYS]
    for text in texts:
        if key.asked == asked.stored and sha512(text.encode()).hexdigest() == key.digest:
            return Made(key, text, replayed=True)
    raise IdempotencyKeyReused()
