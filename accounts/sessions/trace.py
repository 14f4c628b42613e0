"""Keeps where each browser session was used last, without a query of every request.

A process writes the row of a session at most once a minute.
"""

import ipaddress
import threading
import time
import uuid
from typing import Any

import structlog
from django.db import DatabaseError, IntegrityError, connection
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts.sessions.models import AGENT_MAX_LENGTH
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

SECONDS = 60.0
REMEMBERED = 20_000

# Of an account that is erased meanwhile nothing is written, because its lock is waited for.
_WRITE = """
INSERT INTO accounts_browsersession AS known
    (id, session_key, user_id, created_at, last_used_at, address, agent)
SELECT %s, %s, account.id, statement_timestamp(), statement_timestamp(), %s, %s
FROM accounts_user AS account WHERE account.id = %s AND account.is_active
FOR KEY SHARE OF account
ON CONFLICT (session_key) DO UPDATE
SET user_id = excluded.user_id, last_used_at = excluded.last_used_at,
    address = excluded.address, agent = excluded.agent
"""


def address_of(request: HttpRequest) -> str | None:
    """Return the client's address, or ``None`` if there is none, as on a Unix socket."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return None


def agent_of(request: HttpRequest) -> str:
    """Return what the client calls itself, in printable characters and cut."""
    given = request.META.get("HTTP_USER_AGENT", "")
    # WSGI hands the bytes of a header on as Latin-1.
    text = given.encode("latin-1", "replace").decode("utf-8", "replace")[:AGENT_MAX_LENGTH]
    return "".join(each if each.isprintable() else " " for each in text)


class SessionTrace:
    """Writes where the session of a request was used, after the answer."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self._written: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        # A request with a token has not read its session, and it is not read only for this.
        if _is_known(request) and request.user.is_authenticated:
            self._trace(request, request.session.session_key, request.user.pk)
        return response

    def _is_due(self, key: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._written.get(key, now - SECONDS) < SECONDS:
                return False
            self._written.pop(key, None)
            while len(self._written) >= REMEMBERED:
                del self._written[next(iter(self._written))]
            self._written[key] = now
            return True

    def _trace(self, request: HttpRequest, key: str | None, user_id: int) -> None:
        if key is None or not self._is_due(key):
            return
        try:
            with connection.cursor() as cursor:
                where = [address_of(request), agent_of(request)]
                cursor.execute(_WRITE, [uuid.uuid4(), key, *where, user_id])
        except DatabaseError as error:
            # A page that was read is worth more than its trace.
            if not (is_outage(error) or isinstance(error, IntegrityError)):
                raise
            logger.warning("session.trace_failed", reason=type(error).__name__)


def _is_known(request: HttpRequest) -> bool:
    """Return whether the user of the request was looked up, or has just signed in."""
    user: Any = request.user
    return type(user) is not SimpleLazyObject or hasattr(request, "_cached_user")
