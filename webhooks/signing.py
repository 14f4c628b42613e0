"""Secrets and signatures as Standard Webhooks 1.0.0 has them.

The HMAC-SHA256 is of ``id.timestamp.body``. While a secret is replaced, two signatures are sent.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from shop.core.sealing import SealedColumn

COLUMN = "webhooks_endpoint.secret"
PREVIOUS_COLUMN = "webhooks_endpoint.previous_secret"
SEALED = (
    SealedColumn(COLUMN, "webhooks_endpoint", "secret", account="owner_id"),
    SealedColumn(PREVIOUS_COLUMN, "webhooks_endpoint", "previous_secret", account="owner_id"),
)
PREFIX = "whsec_"
_SECRET_BYTES = 32


def random_secret() -> str:
    """Return a new secret, ``whsec_`` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(keys: Sequence[str], *, id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` header, with one signature for each secret."""
    signed = f"{id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(key), signed, hashlib.sha256)).decode()
        for key in keys
    )


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
