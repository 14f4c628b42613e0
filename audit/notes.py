"""Signed notes of how far the chain reaches, for people who keep one outside of the shop.

They have the form of c2sp.org/signed-note: three lines, an empty one, and a signature::

    shop.example.com/audit
    1234
    <the hash of entry 1234, in base64>

    — shop.example.com/audit <4 bytes of the key's hash and 64 of the signature, in base64>

The second and third line are those of c2sp.org/tlog-checkpoint, but the hash is that of a chain and
not of a tree. The key is Ed25519, derived from one of ``DATA_KEYS``.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from shop.core.sealing import derive

NOTE_MAX_LENGTH = 2000
_PURPOSE = "audit-checkpoint"
_ED25519 = b"\x01"
_NOTE = re.compile(
    r"(?P<text>(?P<origin>[^\s+]+)\n(?P<seq>[1-9][0-9]{0,17})\n(?P<hash>[A-Za-z0-9+/]{43}=)\n)"
    r"\n\u2014 (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]{91}=)\n",
    re.ASCII,
)


class BadNote(Exception):
    """The text is no signed note, or its signature is wrong."""


class UnknownKey(BadNote):
    """None of the present keys has signed the note."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a chain reached: the number and the hash of its last entry."""

    seq: int
    hash: str


def key_name() -> str:
    """Return the name that signs, which is also the origin of the notes."""
    return f"{urlsplit(settings.SITE_URL).netloc}/audit"


def note_sign(reached: Reached) -> str:
    """Return the note, signed with the first of ``DATA_KEYS``."""
    name = key_name()
    text = f"{name}\n{reached.seq}\n{b64encode(bytes.fromhex(reached.hash)).decode()}\n"
    key = _private(next(iter(settings.DATA_KEYS)))
    signature = _key_hash(name, key.public_key()) + key.sign(text.encode())
    return f"{text}\n\u2014 {name} {b64encode(signature).decode()}\n"


def note_open(note: str) -> Reached:
    """Return what a note says. Raise ``UnknownKey``, and ``BadNote`` for any other fault."""
    match = _NOTE.fullmatch(note) if len(note) <= NOTE_MAX_LENGTH else None
    if match is None:
        raise BadNote("It is no signed note.")
    signature = b64decode(match["signature"])
    for key in _public_keys():
        if _key_hash(match["name"], key) == signature[:4]:
            try:
                key.verify(signature[4:], match["text"].encode())
            except InvalidSignature:
                raise BadNote("Its signature is wrong.") from None
            return Reached(int(match["seq"]), b64decode(match["hash"]).hex())
    raise UnknownKey("It was signed with a key that DATA_KEYS does not have.")


def is_signed_by_first_key(note: str) -> bool:
    """Return whether the note names the first of ``DATA_KEYS`` as its key, and this site."""
    match = _NOTE.fullmatch(note)
    key = _private(next(iter(settings.DATA_KEYS))).public_key()
    return match is not None and b64decode(match["signature"])[:4] == _key_hash(key_name(), key)


def verifier_key() -> str:
    """Return the present public key as verifiers of signed notes take it."""
    name, key = key_name(), _private(next(iter(settings.DATA_KEYS))).public_key()
    encoded = b64encode(_ED25519 + key.public_bytes_raw()).decode()
    return f"{name}+{_key_hash(name, key).hex()}+{encoded}"


def _private(key_id: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derive(_PURPOSE, key_id))


def _public_keys() -> Iterator[Ed25519PublicKey]:
    for key_id in settings.DATA_KEYS:
        yield _private(key_id).public_key()


def _key_hash(name: str, key: Ed25519PublicKey) -> bytes:
    return sha256(f"{name}\n".encode() + _ED25519 + key.public_bytes_raw()).digest()[:4]
