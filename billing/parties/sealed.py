"""The buyer of a document: a digest in its canonical bytes, and the text sealed beside it."""

import hashlib

import msgspec

from billing.content import Buyer
from billing.parties.models import COLUMN, Party
from shop.core.sealing import unseal

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Salted(msgspec.Struct, frozen=True):
    """What is sealed. Nobody can guess the buyer from the digest, because of the salt."""

    salt: str
    buyer: Buyer


def digest_of(buyer: Buyer, salt: str) -> tuple[bytes, str]:
    """Return the bytes of the salted buyer, and their SHA-256 as ``sha256:<hex>``."""
    text = _ENCODER.encode(Salted(salt, buyer))
    return text, f"sha256:{hashlib.sha256(text).hexdigest()}"


def opened(party: Party) -> tuple[Buyer, str]:
    """Return the buyer of a document and the digest that its canonical bytes must have.

    Raise ``Unsealable``.
    """
    text = unseal(party.sealed, account=party.account_id, column=COLUMN)
    return msgspec.json.decode(text, type=Salted).buyer, (
        f"sha256:{hashlib.sha256(text).hexdigest()}"
    )
