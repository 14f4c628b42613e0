"""Signatures of messages as Stripe makes them: ``t=<seconds>,v1=<hex>`` over ``<seconds>.<body>``.

While a secret is changed, a message has a signature of each, and the shop has both secrets.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

from billing.payments.providers.interface import BadSignature

HEADER = "Stripe-Signature"
TOLERANCE_SECONDS = 300
_SIGNATURES_MAX = 10
_HEADER_MAX = 2000


def _mac(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()


def sign(body: bytes, *secrets: str, moment: int | None = None) -> str:
    """Return the header of a message that is signed with each of the secrets."""
    at = int(time.time()) if moment is None else moment
    return ",".join([f"t={at}", *(f"v1={_mac(secret, at, body)}" for secret in secrets)])


def check(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Raise ``BadSignature`` unless one of the secrets signed the message, minutes ago at most.

    The time it takes tells nothing about the signature that would be good.
    """
    header = headers.get(HEADER, "")
    if len(header) > _HEADER_MAX or not header.isascii():
        raise BadSignature()
    parts = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"][:_SIGNATURES_MAX]
    if len(moments) != 1 or not moments[0].isdecimal() or len(moments[0]) > 12:
        raise BadSignature()
    moment = int(moments[0])
    if abs(time.time() - moment) > TOLERANCE_SECONDS:
        raise BadSignature()
    good = False
    for secret in secrets:
        expected = _mac(secret, moment, body)
        for each in given:
            good |= hmac.compare_digest(expected, each)
    if not good:
        raise BadSignature()
