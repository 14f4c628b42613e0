"""Codes of authenticator apps (RFC 6238): six digits, 30 seconds each."""

import hmac
import secrets
from base64 import b32encode
from time import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.db import connection

from shop.core.sealing import SealedColumn, seal, unseal

STEP_SECONDS = 30
TOLERANCE = 1
"""Steps before and after the present one whose codes are good, because clocks differ."""
COLUMN = "mfa_authenticator.data"

SEALED = (SealedColumn(COLUMN, "mfa_authenticator", "data", member="secret"),)

# The step is in the row, and one statement compares and moves it. So a code is good once, however
# many requests bring it at once, and so is every older code.
_USE = """
UPDATE mfa_authenticator
SET data = jsonb_set(data, '{step}', to_jsonb(%s::bigint)), last_used_at = statement_timestamp()
WHERE id = %s AND (data->>'step')::bigint < %s
"""


def secret_new() -> str:
    """Return a new secret: 160 bits in Base32."""
    return b32encode(secrets.token_bytes(20)).decode()


def matching_step(secret: str, code: str) -> int | None:
    """Return the step near the present one whose code this is, or ``None``."""
    now = int(time()) // STEP_SECONDS
    found = None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        if hmac.compare_digest(format_hotp_value(hotp_value(secret, step)), code):
            found = step
    return found


def data_of(secret: str, step: int, *, account: int) -> dict[str, object]:
    """Return what is stored of a secret whose code of ``step`` has been used already."""
    return {"secret": seal(secret.encode(), account=account, column=COLUMN), "step": step}


def use(authenticator: Authenticator, code: str) -> bool:
    """Return whether the code is right and nobody has used it or a later one; it is used now.

    Raise ``Unsealable`` if the secret cannot be read.
    """
    sealed = authenticator.data["secret"]
    secret = unseal(sealed, account=authenticator.user_id, column=COLUMN).decode()
    step = matching_step(secret, code)
    if step is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute(_USE, [step, authenticator.pk, step])
        return cursor.rowcount == 1
