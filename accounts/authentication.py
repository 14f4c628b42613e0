"""Signing in: tokens, sessions and one-use tickets, for REST and for sockets."""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256, sha512
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.models import AuthToken
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.access import Caller
from accounts.models import LiveTicket, User

_TOKEN = re.compile(r"[0-9a-zA-Z_-]{16,128}")
_SESSION_KEY = re.compile(r"[0-9a-z]{8,40}")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a socket was opened with: a token's digest or a session's key."""

    token_digest: str = ""
    session_key: str = ""


def token_digest(token: str | bytes) -> str | None:
    """Return the digest under which a token is stored, or ``None`` for what cannot be one."""
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    # What ``knox.crypto.hash_token`` does by default, in less than half the time.
    return sha512(text.encode()).hexdigest() if _TOKEN.fullmatch(text) else None


_CALLERS = """
SELECT token.digest, account.id, account.username, account.userid,
       account.is_staff, account.is_client
FROM knox_authtoken AS token JOIN accounts_user AS account ON account.id = token.user_id
WHERE token.digest = ANY(%s) AND account.is_active
  AND (token.expiry IS NULL OR token.expiry > statement_timestamp())
"""


def callers_by_digest(digests: Collection[str]) -> dict[str, Caller]:
    """Return the callers of those digests whose token is good and whose account is active.

    Takes one query, and none for no digests.
    """
    if not digests:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_CALLERS, [list(digests)])
        return {digest: Caller(*account) for digest, *account in cursor.fetchall()}


class TokenAuthentication(KnoxTokenAuthentication):
    """``Authorization: Token <token>``, found by its digest in one query."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        """Return user and token; raise ``AuthenticationFailed`` for any that is not good."""
        digest = token_digest(token)
        found = (
            AuthToken.objects.select_related("user").filter(digest=digest).first()
            if digest is not None
            else None
        )
        if (
            found is None
            or (found.expiry is not None and found.expiry <= timezone.now())
            or not found.user.is_active
        ):
            raise exceptions.AuthenticationFailed("Invalid token.")
        return found.user, found


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session cookie, with CSRF on every write."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


def _sessions(keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return ``(user id, session hash)`` by key for the sessions that have not ended."""
    keys = [key for key in keys if _SESSION_KEY.fullmatch(key)]
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    found = {}
    for row in rows:
        data = row.get_decoded()
        if data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS:
            found[row.session_key] = (
                str(data.get(SESSION_KEY, "")),
                str(data.get(HASH_SESSION_KEY, "")),
            )
    return found


def _is_session_of(user: User | None, session_hash: str) -> bool:
    if user is None or not user.is_active:
        return False
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(session_hash, each) for each in hashes)


def callers_by_session(session_keys: Collection[str]) -> dict[str, Caller]:
    """Return whose sessions they are, each checked as ``django.contrib.auth.get_user`` does.

    Takes two queries, and none for no keys.
    """
    sessions = _sessions(session_keys) if session_keys else {}
    ids = {user_id for user_id, _ in sessions.values() if user_id.isdigit()}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=ids)} if ids else {}
    return {
        key: Caller.of(users[user_id])
        for key, (user_id, session_hash) in sessions.items()
        if _is_session_of(users.get(user_id), session_hash)
    }


def caller_by_session(session_key: str) -> Caller | None:
    """Return whose session it is, or ``None``."""
    return callers_by_session([session_key]).get(session_key)


def credentials_still_valid(credentials: Collection[Credential]) -> set[Credential]:
    """Return those credentials that are still good, in at most three queries.

    A token is good until it is revoked or ends, a session until it ends or is logged out of or
    the password changes, and both only while the account is active.
    """
    digests = [each.token_digest for each in credentials if each.token_digest]
    keys = [each.session_key for each in credentials if each.session_key]
    good_digests = callers_by_digest(digests).keys()
    good_keys = callers_by_session(keys).keys()
    return {
        each
        for each in credentials
        if each.token_digest in good_digests or each.session_key in good_keys
    }


def ticket_issue(*, user: User, token_digest: str = "", session_key: str = "") -> str:
    """Return a one-use pass to the live feed, good for ``LIVE_TICKET_SECONDS``.

    ``token_digest`` or ``session_key`` is the credential of the request that asks for it.
    """
    ticket = secrets.token_urlsafe(32)
    LiveTicket.objects.create(
        digest=sha256(ticket.encode()).digest(),
        user=user,
        token_digest=token_digest,
        session_key=session_key,
        expires_at=timezone.now() + timedelta(seconds=settings.LIVE_TICKET_SECONDS),
    )
    return ticket


def ticket_redeem(ticket: str) -> tuple[Caller, Credential] | None:
    """Use a ticket up; return whose it is and the credential it was made with.

    ``None`` for a ticket that is unknown, used, too old, or whose credential is no longer good.
    """
    if not _TOKEN.fullmatch(ticket):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM accounts_liveticket WHERE digest = %s"
            " RETURNING user_id, token_digest, session_key, expires_at > statement_timestamp()",
            [sha256(ticket.encode()).digest()],
        )
        row: Any = cursor.fetchone()
    if row is None or not row[3]:
        return None
    credential = Credential(token_digest=row[1], session_key=row[2])
    user = User.objects.filter(pk=row[0], is_active=True).first()
    if user is None or credential not in credentials_still_valid([credential]):
        return None
    return Caller.of(user), credential
