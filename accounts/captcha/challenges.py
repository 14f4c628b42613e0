"""ALTCHA challenges: made without being stored, and good once.

A challenge asks for the counter, up to ``COUNTER_MAX``, whose derived key begins as the challenge
says. It is signed with a key from ``DATA_KEYS``, so any process can check it. What it is for, and
until when, is signed, too. Only the nonce of a solved one is stored.
"""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import altcha
from django.conf import settings
from django.db import connection

from shop.core.sealing import Unsealable, derive

ACTIONS = ("sign_up", "sign_in")
SECONDS = 600
ALGORITHM = "PBKDF2/SHA-256"
COST = 5000
"""Iterations of one try, which takes this machine some milliseconds."""
COUNTER_MAX = 400
PAYLOAD_MAX_LENGTH = 4000

_USE = """
INSERT INTO accounts_captchaused (nonce, expires_at) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""


def challenge(action: str) -> dict[str, Any]:
    """Return a challenge for one of ``ACTIONS``, in ALTCHA's format."""
    key_id = next(iter(settings.DATA_KEYS))
    made = altcha.create_challenge(
        ALGORITHM,
        COST,
        counter=1 + secrets.randbelow(COUNTER_MAX),
        expires_at=int(time.time()) + SECONDS,
        data={"action": action, "key": key_id, "max": COUNTER_MAX},
        hmac_secret=derive("captcha", key_id),
    )
    return made.to_dict()


def is_solved(payload: str, action: str) -> bool:
    """Return whether a payload solves a challenge for the action, and use it up.

    Of many who send the same payload at once, one gets ``True``.
    """
    solved = _solved(payload, action)
    if solved is None:
        return False
    expires_at = datetime.fromtimestamp(solved.expires_at or 0, UTC)
    with connection.cursor() as cursor:
        cursor.execute(_USE, [bytes.fromhex(solved.nonce), expires_at])
        return cursor.rowcount == 1


def _solved(payload: str, action: str) -> altcha.ChallengeParameters | None:
    """Return the challenge that a payload solves, or ``None``."""
    if len(payload) > PAYLOAD_MAX_LENGTH:
        return None
    try:
        given = altcha.Payload.from_base64(payload)
        told = given.challenge.parameters
        data: Any = told.data
        # Whoever could choose the key, the action or the range would have to sign them.
        secret = derive("captcha", data["key"])
        result = altcha.verify_solution(given, secret)
        counter = given.solution.counter
        good = (
            result.verified
            and data["action"] == action
            and told.algorithm == ALGORITHM
            and bool(told.expires_at)
            and type(counter) is int
            and 1 <= counter <= data["max"]
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Unsealable):
        return None
    return told if good else None
