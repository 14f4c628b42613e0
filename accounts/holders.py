"""The holder of a request, by whom all that takes long is shared fairly.

``Holders.find`` puts two keys into an ASGI scope:

* ``shop.holder``: ``account:<id>`` for a good token or session, else ``address:<network>`` of the
  address that ``shop.core.addresses.forwarded`` has found;
* ``shop.unsure``: whether there is a credential that could not be looked up in time.

Holders are for fairness only. One may be some seconds out of date, and the code that answers a
request authenticates it. Concurrent look-ups share one query, and one query runs at a time, so
invented tokens cost the database little. If the database hangs, a request waits ``LOOKUP_SECONDS``
at most.
"""

import asyncio
import re
import time
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from accounts.authentication import (
    callers_by_digest,
    callers_by_session,
    given_token,
    token_digest,
)
from shop.core.admission import Room, account_holder, address_holder
from shop.core.errors import ApplicationError
from shop.core.outages import is_outage
from shop.core.threads import Threads

logger = structlog.get_logger(__name__)

LOOKUP_SECONDS = 1.0
GOOD_SECONDS = 30.0
BAD_SECONDS = 5.0
REMEMBERED = 20_000
BATCH = 200
_UNKNOWN = "unknown"

_SESSION = re.compile(rb"(?:^|;)\s*%b=\"?([0-9a-z]{8,40})" % settings.SESSION_COOKIE_NAME.encode())


class _Memory:
    """Recent look-ups: a bounded number of keys with a time to live."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: dict[str, tuple[str, float]] = {}

    def get(self, key: str) -> str | None:
        found = self._found.get(key)
        return found[0] if found is not None and found[1] > time.monotonic() else None

    def put(self, key: str, value: str) -> None:
        self._found.pop(key, None)
        if len(self._found) >= REMEMBERED:
            del self._found[next(iter(self._found))]
        self._found[key] = (value, time.monotonic() + self._seconds)


def _credential(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the key of the request's credential, a token or else a session."""
    cookies = b""
    for name, value in headers:
        if name == b"authorization":
            token = given_token(value)
            if token is not None:
                digest = token_digest(token)
                return digest and f"token:{digest}"
        elif name == b"cookie":
            cookies += b";" + value
    session = _SESSION.search(cookies)
    return f"session:{session[1].decode()}" if session else None


def _look_up(keys: list[str]) -> dict[str, str]:
    """Return the holder of each good credential; runs in the calling thread."""
    kinds: dict[str, list[str]] = {"token": [], "session": []}
    for key in keys:
        kind, _, value = key.partition(":")
        kinds[kind].append(value)
    try:
        tokens = callers_by_digest(kinds["token"])
        sessions = callers_by_session(kinds["session"])
    finally:
        connection.close()
    found = {f"token:{digest}": account_holder(caller.id) for digest, caller in tokens.items()}
    found |= {f"session:{key}": account_holder(caller.id) for key, caller in sessions.items()}
    return found


class Holders:
    """Finds holders, and remembers them for a short while."""

    def __init__(self) -> None:
        self._good = _Memory(GOOD_SECONDS)
        self._bad = _Memory(BAD_SECONDS)
        self._threads = Threads(1, "holders")
        self._room = Room("look-ups", total=1000, share=50)
        self._coming: dict[str, asyncio.Future[str | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    async def find(self, scope: Any) -> None:
        """Put ``shop.holder``, ``shop.unsure``, ``shop.arrived`` into the scope. Raise nothing."""
        # The time of the look-up counts for the request, too.
        scope["shop.arrived"] = time.monotonic()
        holder = address_holder((scope.get("client") or ("",))[0])
        unsure = False
        key = _credential(scope["headers"])
        if key is not None:
            known = self._good.get(key)
            if known is None and self._bad.get(key) is None:
                try:
                    with self._room.place(holder):
                        known = await self._found(key)
                except (ApplicationError, TimeoutError):
                    unsure = True
            holder = known or holder
        scope["shop.holder"] = holder
        scope["shop.unsure"] = unsure

    async def _found(self, key: str) -> str | None:
        """Return the holder, or ``None`` for a bad credential. Raise ``TimeoutError`` if unsure."""
        now = time.monotonic()
        asking = self._asking is not None and not self._asking.done()
        if asking and now - self._asked_at > LOOKUP_SECONDS:
            # The database hangs, so further requests need not wait to find that out again.
            raise TimeoutError
        future = self._coming.get(key)
        if future is None:
            future = self._coming[key] = asyncio.get_running_loop().create_future()
        if not asking:
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        async with asyncio.timeout(LOOKUP_SECONDS):
            found = await asyncio.shield(future)
        if found == _UNKNOWN:
            raise TimeoutError
        return found

    async def _ask(self) -> None:
        """Look up what was asked for, a batch at a time, until nothing is left."""
        while self._coming:
            keys = list(self._coming)[:BATCH]
            futures = {key: self._coming.pop(key) for key in keys}
            self._asked_at = time.monotonic()
            try:
                found = await self._threads.run(_look_up, keys)
            except Exception as error:
                if not is_outage(error):
                    logger.exception("holders.look_up_failed")
                for future in futures.values():
                    future.set_result(_UNKNOWN)
                continue
            for key, future in futures.items():
                holder = found.get(key)
                if holder is None:
                    self._bad.put(key, "nobody")
                else:
                    self._good.put(key, holder)
                future.set_result(holder)
