"""The credentials of an account: browser sessions, tokens, JWT grants and keys."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.crypto import constant_time_compare

from accounts.models import Token, TokenKind, User
from accounts.sessions.agents import agent_name

LISTED_MAX = 500
"""So many of a kind are listed, those that were used last. Ending all ends the others, too."""

# JWT grants name their methods as the claim `amr` does (RFC 8176).
_WORDS = {"pwd": "password", "otp": "totp"}
KINDS = {TokenKind.SIGN_IN: "token", TokenKind.KEY: "key", TokenKind.JWT: "jwt"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One credential that is good, as its owner sees it. ``reference`` stays inside."""

    id: uuid.UUID
    kind: str
    current: bool
    name: str
    methods: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    address: str | None
    agent: str
    reference: str


_SESSIONS = """
SELECT known.id, known.session_key, known.created_at, known.last_used_at, known.address,
       known.agent, session.session_data, session.expire_date
FROM accounts_browsersession AS known
JOIN django_session AS session USING (session_key)
WHERE known.user_id = %s AND session.expire_date > statement_timestamp()
ORDER BY known.last_used_at DESC, known.id
LIMIT %s
"""


def browsers_of(user: User, current: str = "") -> Iterator[Listed]:
    """Yield the account's browser sessions; ``current`` is the key of the request's own.

    One query. A session whose password or salt is older than the account's has ended.
    """
    good = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    with connection.cursor() as cursor:
        cursor.execute(_SESSIONS, [user.pk, LISTED_MAX])
        rows = cursor.fetchall()
    store = SessionStore()
    for id, key, created_at, used_at, address, agent, data, expires_at in rows:
        content = store.decode(data)
        digest = str(content.get(HASH_SESSION_KEY, ""))
        is_own = content.get(SESSION_KEY) == str(user.pk)
        if not is_own or not any(constant_time_compare(digest, each) for each in good):
            continue
        records = content.get(AUTHENTICATION_METHODS_SESSION_KEY) or []
        signed_in = min((record["at"] for record in records if "at" in record), default=None)
        yield Listed(
            id=id,
            kind="browser",
            current=key == current,
            name=agent_name(agent),
            methods=methods_of(records),
            # The row may be younger, because a session gets another key with another password.
            created_at=datetime.fromtimestamp(signed_in, UTC) if signed_in else created_at,
            last_used_at=used_at,
            expires_at=expires_at,
            address=address,
            agent=agent,
            reference=key,
        )


def methods_of(records: list[dict[str, Any]]) -> list[str]:
    """Return how the session was signed in: ``password``, ``totp``, ``webauthn``, ``code``, …"""
    names = (record.get("type") or record.get("method") or "" for record in records)
    return [*dict.fromkeys(name for name in names if name)]


def programs_of(user: User, current: str = "") -> Iterator[Listed]:
    """Yield the account's tokens, JWT grants and keys; ``current`` is the digest of the request's
    own. One query.
    """
    good = Token.objects.filter(Q(expiry=None) | Q(expiry__gt=Now()), user=user)
    for token in good.order_by("-created")[:LISTED_MAX]:
        yield Listed(
            id=token.id,
            kind=KINDS[TokenKind(token.kind)],
            current=token.digest == current,
            name=str(token),
            methods=[_WORDS.get(each, each) for each in token.methods.split()],
            created_at=token.created,
            last_used_at=token.last_used_at,
            expires_at=token.expiry,
            address=token.last_used_address,
            agent="",
            reference=token.digest,
        )


def sessions_of(user: User, *, session_key: str = "", token_digest: str = "") -> list[Listed]:
    """Return all credentials of the account that are good, the one of this request first."""
    found = [*browsers_of(user, session_key), *programs_of(user, token_digest)]
    return sorted(
        found, key=lambda each: (each.current, each.last_used_at or each.created_at), reverse=True
    )
