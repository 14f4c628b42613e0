"""Requests as the rest of the site wants them: complete, bounded, and unambiguous.

A body is read before anything else is done, here, where waiting costs nothing but a buffer; a
thread or a transaction is only ever given to a request that has fully arrived. A client that sends
too slowly is answered 408 and cut off, so that no number of slow clients keeps others out.

More than ``SMALL_BYTES`` is read only from an account, which its credential shows before the body
comes. What is read takes room in memory and, from ``SMALL_BYTES`` on, on the temporary disk; of
both there is a share for each holder.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from tempfile import SpooledTemporaryFile
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
    """The body did not come, or came too slowly; nothing was done."""

    status = 408
    code = "request_timeout"
    detail = "The request body came too slowly; nothing was recorded."


class MalformedQuery(ApplicationError):
    """The query string holds bytes that no address has."""

    code = "malformed_address"
    detail = "The address is not ASCII."


class Bodies:
    """The ASGI application that reads the body of a request for ``app``.

    ``limits`` are the bytes that a path takes where it is not ``BODY_MAX_BYTES``. What is over the
    limit is answered 413 at once and kept nowhere. The application behind finds a body that has
    arrived in ``scope["shop.body"]``, a binary file, and its bytes in ``scope["shop.size"]``;
    ``receive`` gives only what comes after it.
    """

    def __init__(self, app: App, limits: Mapping[str, int]) -> None:
        self.app = app
        self.limits = limits
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
            # To a WSGI application `X_Forwarded_For` is the same as the header of our proxy.
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
                # The temporary disk is full, or gone, and refuses once more what is buffered.
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
                # A WSGI application does not look at a body that is not said to be there.
                headers = [header for header in headers if header[0] != b"transfer-encoding"]
                scope = scope | {"headers": [*headers, (b"content-length", b"%d" % size)]}
            await self.app(scope | {"shop.body": body, "shop.size": size}, receive, send)

    def _limit(self, scope: Any, length: int | None) -> int:
        """Return how many bytes are read of this request; raise for a length that is larger."""
        limit = self.limits.get(scope["path"], BODY_MAX_BYTES)
        if length is not None and length > limit:
            raise PayloadTooLarge()
        if not scope["shop.holder"].startswith("account:"):
            limit = min(limit, SMALL_BYTES)
            if length is not None and length > limit:
                raise self._too_large(scope, limit)
        return limit

    def _too_large(self, scope: Any, limit: int) -> ApplicationError:
        """Return what to say of a body over the limit that holds for who asks."""
        if limit == self.limits.get(scope["path"], BODY_MAX_BYTES):
            return PayloadTooLarge()
        # Who asks is not known, so this may be an account that had better try again.
        return Unavailable() if scope["shop.unsure"] else NotAuthenticated()

    async def _read(
        self, receive: Any, body: Any, limit: int, memory: Tab, disk: Tab
    ) -> int | None:
        """Write what comes to ``body``; return its bytes, or ``None`` where the client went away.

        Raises ``TimeoutError`` where nothing comes for ``IDLE_SECONDS``, or less than
        ``BYTES_A_SECOND`` in the long run; ``OSError`` where it cannot be written; and as
        ``Room.take`` does.
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

        A connection that is closed with bytes unread is reset, and a client that is still sending
        then never sees the answer. So what it sends is thrown away for a while, if ``receive`` is
        given and not too many are waited for like this.
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
    """Read what the client sends until it ends, or for ``LINGER_SECONDS`` or ``LINGER_BYTES``."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while size < LINGER_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
