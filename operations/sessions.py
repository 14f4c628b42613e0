"""Who signs in and out, and whose sign-in expires or is revoked: one row each time.

The audit has an entry of all of it, so its signal tells of web, API and admin alike. The row is
written after the commit, and a sign-in goes on without it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.dispatch import receiver

from accounts.models import TokenKind
from accounts.tasks import purging
from audit.services import recorded

_ADD = """
INSERT INTO operations_sessionevent (kind, user_id, channel)
SELECT %s, %s, %s FROM generate_series(1, %s)
"""
# The id is made of what has expired, so a row is added once.
_ADD_EXPIRED = """
INSERT INTO operations_sessionevent (at, id, kind, user_id, channel)
SELECT at, md5('expired:' || key)::uuid, 'expired', user_id, channel FROM (
    SELECT session.expire_date AS at, known.id::text AS key, known.user_id, 'web' AS channel
    FROM django_session AS session
    JOIN accounts_browsersession AS known USING (session_key)
    WHERE session.expire_date > statement_timestamp() - interval '15 minutes'
        AND session.expire_date <= statement_timestamp()
    UNION ALL
    SELECT expiry, id::text, user_id, CASE kind WHEN %(jwt)s THEN 'jwt' ELSE 'token' END
    FROM knox_authtoken
    WHERE kind <> %(key)s AND expiry > statement_timestamp() - interval '15 minutes'
        AND expiry <= statement_timestamp()
) AS expired
ON CONFLICT (at, id) DO NOTHING
"""
_CHANNELS = {"session": "web", "browser": "web"}
_ENDED = ("browser", "token", "jwt")


@receiver(recorded)
def _count(sender: Any, account_id: int | None, **entry: Any) -> None:
    for kind, channel, number in _events(account_id=account_id, **entry):
        transaction.on_commit(partial(_add, kind, account_id, channel, number), robust=True)


def _events(
    *,
    action: str,
    account_id: int | None,
    actor_id: int | None,
    before: dict[str, Any],
    after: dict[str, Any],
    **others: Any,
) -> Iterator[tuple[str, str, int]]:
    """Yield kind, channel and number of what an entry of the audit tells."""
    match action:
        case "account.signed_in":
            credential = str(after.get("credential", ""))
            yield "signed_in", _CHANNELS.get(credential, credential), 1
        case "account.signed_out":
            yield "signed_out", "web", 1
        case "token.ended":
            yield "signed_out" if actor_id == account_id else "revoked", "token", 1
        case "jwt.ended":
            yield "signed_out" if actor_id == account_id else "revoked", "jwt", 1
        case "jwt.reused":
            yield "revoked", "jwt", 1
        case "session.ended":
            if (ended := before.get("kind")) in _ENDED:
                yield "revoked", _CHANNELS.get(ended, ended), 1
        case "sessions.ended":
            for ended in _ENDED:
                if number := int(after.get(ended) or 0):
                    yield "revoked", _CHANNELS.get(ended, ended), number


def _add(kind: str, account_id: int | None, channel: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [kind, account_id, channel, number])


def add_expired() -> int:
    """Add what has expired lately and was not counted yet. Return how much that was."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_EXPIRED, {"jwt": TokenKind.JWT.value, "key": TokenKind.KEY.value})
        return int(cursor.rowcount)


@receiver(purging)
def _count_first(sender: Any, **kwargs: Any) -> None:
    add_expired()
