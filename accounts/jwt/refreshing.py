"""Refresh tokens: the id of a grant, a number, and a signature of both.

Nothing of them is stored but the number of the present one, in the grant's row. The successor of a
refresh token is the same however often it is asked for. The signing keys are derived from
``DATA_KEYS``, like those of access tokens.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from django.conf import settings

from shop.core.sealing import derive

PREFIX = "shr_"
_GID, _NUMBER, _MAC = 16, 4, 32
_FORM = re.compile(r"shr_[\w-]{70}", re.ASCII)


class Refresh(NamedTuple):
    """What a refresh token says: its grant, and how many have been before it."""

    gid: str
    number: int


def new_gid() -> str:
    """Return the id of a new grant: 128 random bits."""
    return urlsafe_b64encode(secrets.token_bytes(_GID)).decode().rstrip("=")


def refresh_token(refresh: Refresh) -> str:
    """Return the refresh token of a grant with this number."""
    said = _said(refresh)
    mac = _mac(said, next(iter(settings.DATA_KEYS)))
    return PREFIX + urlsafe_b64encode(said + mac).decode().rstrip("=")


def parse_refresh(text: str) -> Refresh | None:
    """Return what a refresh token says, or ``None`` if we did not sign it."""
    if not _FORM.fullmatch(text):
        return None
    data = urlsafe_b64decode(text.removeprefix(PREFIX) + "==")
    said, mac = data[:-_MAC], data[-_MAC:]
    if not any(hmac.compare_digest(mac, _mac(said, key_id)) for key_id in settings.DATA_KEYS):
        return None
    gid = urlsafe_b64encode(said[:_GID]).decode().rstrip("=")
    return Refresh(gid, int.from_bytes(said[_GID:]))


def _said(refresh: Refresh) -> bytes:
    return urlsafe_b64decode(refresh.gid + "==") + refresh.number.to_bytes(_NUMBER)


def _mac(said: bytes, key_id: str) -> bytes:
    return hmac.digest(derive("jwt-refresh", key_id), said, "sha256")
