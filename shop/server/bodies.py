"""Reads the bodies of requests, so that the rest of the site gets complete, bounded ones.

A body is read here before anything else is done, because waiting here costs a buffer only. A thread
or a transaction is given only to a request that has fully arrived. A client that sends too slowly
is answered 408 and cut off, so slow clients keep nobody out.

Only a signed-in account may send more than ``SMALL_BYTES``; its credential is known before the body
comes. Senders that sign the body itself have no account, and a limit of their own. A body takes
room in memory and, from ``SMALL_BYTES`` on, on the temporary disk. Each holder has a share of both.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from tempfile import SpooledTemporaryFile
from types import MappingProxyType
from typing import Any

from django.conf import settings

from shop.core.admission import Room, Tab
from shop.core.errors import (
    ApplicationError,
    NotAuthenticated,
    PayloadTooLarge,
    Unavailable,
    send_error,
)
from shop.core.headers import check_repeated
from shop.core.threads import Threads

App = Callable[[Any, Any, Any], Awaitable[None]]

BODY_MAX_BYTES = 1024 * 1024
SMALL_BYTES = 64 * 1024
IDLE_SECONDS = 10.0
BYTES_A_SECOND = 16 * 1024
LINGER_SECONDS = 2.0
LINGER_BYTES = 16 * 1024 * 1024
LINGERING = 100


class RequestTimeout(ApplicationError):
    """The body did not come, or came too slowly. Nothing was done."""

    status = 408
    code = "request_timeout"
    detail = "The request body came too slowly; nothing was recorded."


class MalformedQuery(ApplicationError):
    """The query string contains bytes that no address may have."""

    code = "malformed_address"
    detail = "The address is not ASCII."


class Bodies:
    """The ASGI application that reads the body of a request for ``app``.

    ``limits`` are the most bytes for paths that differ from ``BODY_MAX_BYTES``. ``signed`` are
    those of paths that begin so, also for senders without an account. A larger body is answered
    413 at once and kept nowhere. The application behind finds the body in ``scope["shop.body"]``, a
    binary file, and its length in ``scope["shop.size"]``. ``receive`` gives only what comes after
    it.
    """

    def __init__(
        self, app: App, limits: Mapping[str, int], signed: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.app = app
        self.limits = limits
        self.signed = signed
        memory: int = settings.BODIES_MEMORY_BYTES
        free = shutil.disk_usage(tempfile.gettempdir()).free
        disk = min(settings.BODIES_DISK_BYTES, free * 3 // 4)
        self.memory = Room("bodies-memory", total=memory, share=memory // 4)
        # One holder may always have two of the largest bodies, if there is room for them at all.
        share = max(disk // 4, 2 * max(limits.values(), default=BODY_MAX_BYTES))
        self.disk = Room("bodies-disk", total=disk, share=min(share, disk))
        self._lingering = Room("lingering", total=LINGERING, share=LINGERING // 4)
        self._threads = Threads(2, "bodies")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        if len(headers) != len(scope["headers"]):
            # A WSGI application cannot tell `X_Forwarded_For` from our proxy's header.
            scope = scope | {"headers": headers}
        if not scope["query_string"].isascii():
            await self._refuse(scope, send, MalformedQuery())
            return
        try:
            check_repeated(headers)
        except ApplicationError as error:
            await self._refuse(scope, send, error)
            return
        given = dict(headers)
        length = given.get(b"content-length")
        if length is None and b"transfer-encoding" not in given:
            await self.app(scope, receive, send)
            return
        holder = scope["shop.holder"]
        with (
            SpooledTemporaryFile(SMALL_BYTES) as body,
            Tab(self.memory, holder) as memory,
            Tab(self.disk, holder) as disk,
        ):
            try:
                limit = self._limit(scope, None if length is None else int(length))
                size = await self._read(receive, body, limit, memory, disk)
                if size is None:
                    return
                if size > limit:
                    raise self._too_large(scope, limit)
                body.seek(0)
            except TimeoutError:
                await self._refuse(scope, send, RequestTimeout())
                return
            except OSError:
                # The temporary disk is full or gone, and refuses the buffered bytes again.
                with contextlib.suppress(OSError):
                    body.close()
                disk.clear()
                await self._refuse(scope, send, Unavailable(), receive)
                return
            except ApplicationError as error:
                body.close()
                memory.clear()
                disk.clear()
                await self._refuse(scope, send, error, receive)
                return
            if length is None:
                # A WSGI application reads no body without a Content-Length.
                headers = [header for header in headers if header[0] != b"transfer-encoding"]
                scope = scope | {"headers": [*headers, (b"content-length", b"%d" % size)]}
            await self.app(scope | {"shop.body": body, "shop.size": size}, receive, send)

    def _limit(self, scope: Any, length: int | None) -> int:
        """Return how many bytes of this body may be read. Raise for a larger Content-Length."""
        limit, without_account = self._limits_of(scope["path"])
        if length is not None and length > limit:
            raise PayloadTooLarge()
        if not scope["shop.holder"].startswith("account:"):
            limit = without_account
            if length is not None and length > limit:
                raise self._too_large(scope, limit)
        return limit

    def _limits_of(self, path: str) -> tuple[int, int]:
        """Return how many bytes a path takes, and how many from a sender without an account."""
        for beginning, limit in self.signed.items():
            if path.startswith(beginning):
                return limit, limit
        limit = self.limits.get(path, BODY_MAX_BYTES)
        return limit, min(limit, SMALL_BYTES)

    def _too_large(self, scope: Any, limit: int) -> ApplicationError:
        """Return the error for a body over the limit of its sender."""
        if limit == self._limits_of(scope["path"])[0]:
            return PayloadTooLarge()
        # The sender is unknown, and may be an account that should try again.
        return Unavailable() if scope["shop.unsure"] else NotAuthenticated()

    async def _read(
        self, receive: Any, body: Any, limit: int, memory: Tab, disk: Tab
    ) -> int | None:
        """Write the body to ``body``. Return its length, or ``None`` if the client left.

        Raise ``TimeoutError`` if nothing comes for ``IDLE_SECONDS``, or less than
        ``BYTES_A_SECOND`` in the long run. Raise ``OSError`` if the body cannot be written. Raise
        as ``Room.take`` does.
        """
        size = 0
        started = time.monotonic()
        while True:
            left = started + IDLE_SECONDS + size / BYTES_A_SECOND - time.monotonic()
            async with asyncio.timeout(min(left, IDLE_SECONDS)):
                message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            before, size = size, size + len(part)
            if size > limit:
                return size
            if size <= SMALL_BYTES:
                memory.add(len(part))
                body.write(part)
            else:
                disk.add(len(part) if before > SMALL_BYTES else size)
                memory.clear()
                await self._threads.run(body.write, part)
            if not message.get("more_body", False):
                return size

    async def _refuse(
        self, scope: Any, send: Any, error: ApplicationError, receive: Any = None
    ) -> None:
        """Answer with the error and close the connection, on which the body may still be coming.

        If a connection is closed with bytes unread, it is reset, and a client that still sends
        never sees the answer. So the rest is read and discarded for a while, if ``receive`` is
        given and not too many connections linger.
        """

        async def send_and_linger(message: Any) -> None:
            if receive is not None and message["type"] == "http.response.body":
                await send(message | {"more_body": True})
                with (
                    contextlib.suppress(ApplicationError),
                    self._lingering.place(scope["shop.holder"]),
                ):
                    await _throw_away(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        headers = {"Connection": "close"}
        await send_error(send_and_linger, error, path=scope["path"], headers=headers)


async def _throw_away(receive: Any) -> None:
    """Read until the client ends, or for ``LINGER_SECONDS`` or ``LINGER_BYTES``."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
