"""Access tokens: JWTs that this site signs with Ed25519 (RFC 7519, RFC 8037).

The signing keys are derived from ``DATA_KEYS`` and have their ids. The first key signs and all
verify, so that keys can be rotated while processes of before still run. A signature is verified
once in each process.
"""

import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from datetime import datetime
from functools import lru_cache
from hashlib import sha512
from typing import Any, NamedTuple
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from shop.core.sealing import derive

ALGORITHM = "EdDSA"
ACCESS_SECONDS = 300
MAX_LENGTH = 2048
REMEMBERED = 10_000
"""How many results are kept: 20 MB at most, and 6 MB of our own tokens."""


class Verified(NamedTuple):
    """A good access token: the digest of its grant, and when it ends, in seconds since 1970."""

    digest: str
    ends: float


def grant_digest(gid: str) -> str:
    """Return the digest by which a grant is stored.

    No token has a colon, so the id of a grant is of no use as a token.
    """
    return sha512(f"jwt:{gid}".encode()).hexdigest()


@lru_cache(maxsize=16)
def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _key(key_id: str) -> Ed25519PrivateKey:
    return _private(derive("jwt", key_id))


def access_token(*, gid: str, subject: str, scope: str, ends: datetime | None) -> tuple[str, int]:
    """Return a new access token, and for how many seconds it is good: no longer than its grant."""
    now = int(time.time())
    end = now + ACCESS_SECONDS
    if ends is not None:
        end = min(end, int(ends.timestamp()))
    claims = {
        "iss": settings.SITE_URL,
        "aud": settings.SITE_URL,
        "sub": subject,
        "gid": gid,
        "scope": scope,
        "iat": now,
        "exp": end,
        "jti": str(uuid4()),
    }
    key_id = next(iter(settings.DATA_KEYS))
    token = jwt.encode(claims, _key(key_id), algorithm=ALGORITHM, headers={"kid": key_id})
    return token, max(end - now, 0)


@lru_cache(maxsize=16)
def _public(seed: bytes) -> Ed25519PublicKey:
    return _private(seed).public_key()


# By the text itself, because a digest of it would cost a purchase more than all the rest here.
_known: "OrderedDict[str, Verified | None]" = OrderedDict()


def verify(text: str) -> Verified | None:
    """Return the grant of an access token; ``None`` if we did not sign it or it has ended."""
    try:
        found = _known[text]
    except KeyError:
        if len(text) > MAX_LENGTH:
            return None
        found = _known[text] = _verify(text)
        if len(_known) > REMEMBERED:
            # Another thread may have made room already.
            _forget_oldest()
    return found if found is not None and found.ends > time.time() else None


def _forget_oldest() -> None:
    try:
        _known.popitem(last=False)
    except KeyError:
        return


def _verify(text: str) -> Verified | None:
    try:
        header = jwt.get_unverified_header(text)
        if header.get("alg") != ALGORITHM or header.get("kid") not in settings.DATA_KEYS:
            return None
        claims: dict[str, Any] = jwt.decode(
            text,
            _public(derive("jwt", header["kid"])),
            algorithms=[ALGORITHM],
            issuer=settings.SITE_URL,
            audience=settings.SITE_URL,
            options={
                "require": ["exp", "iat", "sub", "gid", "jti"],
                # The clocks of two machines of ours may differ.
                "verify_iat": False,
            },
        )
        return Verified(grant_digest(str(claims["gid"])), float(claims["exp"]))
    except (jwt.PyJWTError, ValueError, TypeError):
        return None


def public_keys() -> dict[str, Any]:
    """Return the public keys as a JWK set (RFC 7517)."""
    keys = []
    for key_id in settings.DATA_KEYS:
        raw = _public(derive("jwt", key_id)).public_bytes(Encoding.Raw, PublicFormat.Raw)
        keys.append(
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": ALGORITHM,
                "kid": key_id,
                "x": urlsafe_b64encode(raw).decode().rstrip("="),
            }
        )
    return {"keys": keys}
