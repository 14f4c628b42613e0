"""Signing in: tokens, sessions and one-use tickets.

``given_credential`` finds the credential of a socket and of a request that waits for events. REST
framework's classes below find that of every other request, by the same rules. A request with a bad
``Token`` or ``Bearer`` is refused even if its cookie is good. Any other scheme belongs to others,
such as a proxy, and is ignored.
"""

import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256, sha512
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.access import Caller
from accounts.jwt.signing import verify
from accounts.keys.networks import is_within
from accounts.keys.usage import last_uses
from accounts.models import LiveTicket, Token, User
from accounts.permissions import EFFECTIVE
from shop.core.database import fetch_prepared
from shop.core.errors import Forbidden

_SCHEMES = (b"token", b"bearer")
_TOKEN = re.compile(r"[0-9a-zA-Z_-]{16,128}")
_SESSION_KEY = re.compile(r"[0-9a-z]{8,40}")


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential that opened a socket: a token's digest or a session's key.

    ``address`` is that of the client that sent the token. ``ends`` is when an access token ends, in
    seconds since 1970; 0 for others.
    """

    token_digest: str = ""
    session_key: str = ""
    address: str = ""
    ends: float = 0.0


def given_token(authorization: bytes) -> bytes | None:
    """Return the token in an ``Authorization`` header, or ``None`` if its scheme is not ours.

    ``Token`` and ``Bearer`` mean the same.
    """
    parts = authorization.split(None, 1)
    if not parts or parts[0].lower() not in _SCHEMES:
        return None
    return parts[1].rstrip() if len(parts) > 1 else b""


def token_digest(token: str | bytes) -> str | None:
    """Return the digest by which a token is stored, or ``None`` for text that cannot be one.

    That of an access token, a JWT, is its grant's.
    """
    return read_token(token)[0]


def read_token(token: str | bytes) -> tuple[str | None, float]:
    """Return the digest of a token, and when the token ends by itself: 0 if only its row tells."""
    text = token.decode("latin-1") if isinstance(token, bytes) else token
    if "." in text:
        verified = verify(text)
        return verified if verified is not None else (None, 0.0)
    if not _TOKEN.fullmatch(text):
        return None, 0.0
    # The same as ``knox.crypto.hash_token`` with its defaults, in less than half the time.
    return sha512(text.encode()).hexdigest(), 0.0


_CALLERS = f"""
SELECT token.digest, token.networks, account.id, account.username, account.userid,
       {EFFECTIVE}
FROM knox_authtoken AS token JOIN accounts_user AS account ON account.id = token.user_id
WHERE token.digest = ANY(%s) AND account.is_active
  AND (token.expiry IS NULL OR token.expiry > statement_timestamp())
"""  # noqa: S608


class Presented(NamedTuple):
    """A token that a client sent: its digest, and the client's address."""

    digest: str
    address: str


class SignedIn(NamedTuple):
    """The caller of a good token, and whether the token is good at any address."""

    caller: Caller
    anywhere: bool


def tokens_look_up(presented: Collection[Presented]) -> dict[Presented, SignedIn]:
    """Return the caller of each token that is good at its address and whose account is active.

    One query, and none without tokens.
    """
    if not presented:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_CALLERS, [list({each.digest for each in presented})])
        rows = {digest: (networks, Caller(*account)) for digest, networks, *account in cursor}
    found = {}
    for each in presented:
        networks, caller = rows.get(each.digest, (None, None))
        if caller is not None and is_within(networks, each.address):
            found[each] = SignedIn(caller, networks is None)
            last_uses.note(each.digest, partial(str, each.address))
    return found


def callers_by_digest(digests: Collection[str]) -> dict[str, Caller]:
    """Return the caller of each digest whose token is good anywhere, and whose account is active.

    One query, and none without digests. For those who do not know the client's address.
    """
    if not digests:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_CALLERS, [list(digests)])
        return {
            digest: Caller(*account) for digest, networks, *account in cursor if networks is None
        }


def _columns(model: type[Model], alias: str) -> tuple[list[str], str]:
    """Return the names of a model's stored fields, and their columns in SQL, in the same order."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    return names, ", ".join(f'{alias}."{field.column}"' for field in fields)


_TOKEN_FIELDS, _TOKEN_COLUMNS = _columns(Token, "token")
_USER_FIELDS, _USER_COLUMNS = _columns(User, "account")
# Every request with a token asks this. The ORM took a third of the processor's time of a request
# to write the statement, and PostgreSQL planned it each time.
_OF_TOKEN = f"""
SELECT {_TOKEN_COLUMNS}, {_USER_COLUMNS}
FROM knox_authtoken AS token JOIN accounts_user AS account ON account.id = token.user_id
WHERE token.digest = %s
"""  # noqa: S608


def _token_of(digest: str) -> Token | None:
    """Return the credential with this digest and its user, or ``None``."""
    rows = fetch_prepared(_OF_TOKEN, [digest])
    if not rows:
        return None
    own = len(_TOKEN_FIELDS)
    token = Token.from_db(DEFAULT_DB_ALIAS, _TOKEN_FIELDS, rows[0][:own])
    token.user = User.from_db(DEFAULT_DB_ALIAS, _USER_FIELDS, rows[0][own:])
    return token


class TokenAuthentication(KnoxTokenAuthentication):
    """``Authorization: Token <token>`` or ``Bearer``, looked up by its digest in one query."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return user and token, or ``None`` if the request has no token."""
        token = given_token(authentication.get_authorization_header(request))
        address = request.META.get("REMOTE_ADDR", "")
        return None if token is None else self.authenticate_credentials(token, address)

    def authenticate_credentials(self, token: bytes, address: str = "") -> tuple[User, Token]:
        """Return user and token. Raise ``AuthenticationFailed`` for a token that is not good at the
        address.
        """
        digest, ends = read_token(token)
        found = _token_of(digest) if digest is not None else None
        if (
            found is None
            or (found.expiry is not None and found.expiry <= timezone.now())
            or not found.user.is_active
            or not is_within(found.networks, address)
        ):
            raise exceptions.AuthenticationFailed("Invalid token.")
        last_uses.note(found.digest, lambda: address)
        found.ends = ends
        found.user.credential_permissions = found.permissions
        return found.user, found


class CsrfFailed(Forbidden):
    """The token of the page is not that of the session, which each sign-in renews."""

    code = "csrf_failed"
    detail = "This page is older than the present sign-in. Load it again."


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session cookie, with CSRF on every write."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"

    def enforce_csrf(self, request: Request) -> None:
        """Raise ``CsrfFailed`` if the request's CSRF token is missing or wrong."""
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied:
            raise CsrfFailed() from None


def _sessions(keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return ``(user id, session hash)`` by key, for the sessions that have not ended."""
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
    """Return the users of sessions, each checked as ``django.contrib.auth.get_user`` does.

    Two queries, and none without keys.
    """
    sessions = _sessions(session_keys) if session_keys else {}
    ids = {user_id for user_id, _ in sessions.values() if user_id.isdigit()}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=ids)} if ids else {}
    return {
        key: Caller.of(users[user_id])
        for key, (user_id, session_hash) in sessions.items()
        if _is_session_of(users.get(user_id), session_hash)
    }


def callers_by_credential(credentials: Collection[Credential]) -> dict[Credential, Caller]:
    """Return the present caller of each credential that is still good.

    At most three queries. A token is good until it is revoked or ends. A session is good until it
    ends, its user logs out, or the password changes. Neither is good while the account is
    deactivated.
    """
    now = time.time()
    presented = {
        each: Presented(each.token_digest, each.address)
        for each in credentials
        if each.token_digest and not 0 < each.ends <= now
    }
    by_token = tokens_look_up(set(presented.values()))
    by_key = callers_by_session([each.session_key for each in credentials if each.session_key])
    found = {}
    for each in credentials:
        if each in presented:
            signed_in = by_token.get(presented[each])
            caller = signed_in.caller if signed_in else None
        else:
            caller = by_key.get(each.session_key) if not each.token_digest else None
        if caller is not None:
            found[each] = caller
    return found


def ticket_issue(
    *, user: User, token_digest: str = "", session_key: str = "", ends: float = 0.0
) -> str:
    """Return a one-use pass to the live feed, good for ``LIVE_TICKET_SECONDS``.

    An account keeps its newest ``LIVE_TICKETS_PER_ACCOUNT``; older ones end. ``token_digest`` or
    ``session_key`` is the credential of the request that asks, which ends by itself at ``ends``.
    """
    ticket = secrets.token_urlsafe(32)
    LiveTicket.objects.create(
        digest=sha256(ticket.encode()).digest(),
        user=user,
        token_digest=token_digest,
        session_key=session_key,
        credential_ends_at=datetime.fromtimestamp(ends, UTC) if ends else None,
        expires_at=timezone.now() + timedelta(seconds=settings.LIVE_TICKET_SECONDS),
    )
    newest = LiveTicket.objects.filter(user=user).order_by("-expires_at", "-digest")
    kept = newest.values("digest")[: settings.LIVE_TICKETS_PER_ACCOUNT]
    LiveTicket.objects.filter(user=user).exclude(digest__in=kept).delete()
    return ticket


def ticket_redeem(ticket: str, address: str = "") -> tuple[Caller, Credential] | None:
    """Use a ticket up. Return its caller and the credential that it was made with, at the address.

    Return ``None`` if the ticket is unknown, used or too old, or if its credential is no longer
    good.
    """
    if not _TOKEN.fullmatch(ticket):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM accounts_liveticket WHERE digest = %s"
            " RETURNING user_id, token_digest, session_key, expires_at > statement_timestamp(),"
            " coalesce(extract(epoch FROM credential_ends_at)::float, 0)",
            [sha256(ticket.encode()).digest()],
        )
        row: Any = cursor.fetchone()
    if row is None or not row[3]:
        return None
    credential = Credential(row[1], row[2], address if row[1] else "", row[4])
    caller = callers_by_credential([credential]).get(credential)
    return None if caller is None or caller.id != row[0] else (caller, credential)


class _Origins(CsrfViewMiddleware):
    """Django's own comparison of a request's Origin, without the rest of its CSRF check."""

    def is_ours(self, request: HttpRequest) -> bool:
        return "HTTP_ORIGIN" in request.META and bool(self._origin_verified(request))  # type: ignore[attr-defined]


def _no_view(request: HttpRequest) -> Any:
    """Stands in for a middleware's view, which is never called."""


def origin_is_ours(request: HttpRequest) -> bool:
    """Return whether the Origin is this site or one of ``CSRF_TRUSTED_ORIGINS``."""
    return _Origins(_no_view).is_ours(request)


def given_credential(request: HttpRequest, *, is_socket: bool = False) -> Credential | None:
    """Return the token or session that is the request's credential. It may be a bad one.

    A browser sends the session cookie with a websocket that any page opens. So for a websocket a
    session counts only if the Origin is ours. For other requests it always counts, because a
    foreign page cannot read the answer.
    """
    token = given_token(request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1"))
    if token is not None:
        address = request.META.get("REMOTE_ADDR", "")
        digest, ends = read_token(token)
        return Credential(token_digest=digest or "", address=address, ends=ends)
    if is_socket and not origin_is_ours(request):
        return None
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return Credential(session_key=key) if key else None


def actor_of(request: HttpRequest | Request) -> User:
    """Return the account that makes a request; the route's rule lets nobody else in."""
    return cast(User, request.user)
