"""Recovery codes: ten for an account, each good once, stored as digests only."""

import secrets
from hashlib import sha256

from allauth.mfa.models import Authenticator
from django.db import connection

COUNT = 10
GROUPS, GROUP = 4, 4
# Crockford's: without the letters that look like digits, and without u.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_READ_AS = str.maketrans("oil", "011")

_USE = """
UPDATE mfa_authenticator
SET data = jsonb_set(data, '{digests}', (data->'digests') - %s::text),
    last_used_at = statement_timestamp()
WHERE id = %s AND data->'digests' @> to_jsonb(%s::text)
"""


def codes_new() -> list[str]:
    """Return new codes, such as ``k3j9-9x2m-qq7v-p4ta``: 80 random bits each."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
        for _ in range(COUNT)
    ]


def data_of(codes: list[str], *, account: int) -> dict[str, object]:
    """Return what is stored of the codes. A fast digest is enough for 80 random bits."""
    return {"digests": [_digest(code, account) for code in codes]}


def left(authenticator: Authenticator) -> int:
    """Return how many of the codes have not been used."""
    return len(authenticator.data["digests"])


def use(authenticator: Authenticator, code: str) -> bool:
    """Return whether this is one of the codes that are left; it is used now."""
    digest = _digest(code, authenticator.user_id)
    with connection.cursor() as cursor:
        cursor.execute(_USE, [digest, authenticator.pk, digest])
        return cursor.rowcount == 1


def _digest(code: str, account: int) -> str:
    plain = code.lower().replace("-", "").translate(_READ_AS)
    return sha256(f"{account}:{plain}".encode("utf-8", "replace")).hexdigest()
