"""Requests as the rest of the site wants them: complete, bounded, and unambiguous.

A body is read before anything else is done, here, where waiting costs nothing but a buffer; a
thread or a transaction is only ever given to a request that has fully arrived. A client that sends
too slowly is answered 408 and cut off, so that no number of slow clients keeps others out.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from tempfile import SpooledTemporaryFile
from typing import Any

from shop.errors import ApplicationError, PayloadTooLarge, send_error
from shop.headers import check_repeated

App = Callable[[Any, Any, Any], Awaitable[None]]

BODY_MAX_BYTES = 1024 * 1024
IDLE_SECONDS = 10.0
BYTES_A_SECOND = 16 * 1024
LINGER_SECONDS = 2.0
LINGER_BYTES = 16 * 1024 * 1024


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
    """The ASGI application in front of all others.

    ``limits`` are the bytes that a path takes where it is not ``BODY_MAX_BYTES``. What is over the
    limit is answered 413 at once and kept nowhere. The application behind finds a body that has
    arrived in ``scope["shop.body"]``, a binary file; ``receive`` gives only what comes after it.
    """

    def __init__(self, app: App, limits: Mapping[str, int]) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
        if len(headers) != len(scope["headers"]):
            # To a WSGI application `X_Forwarded_For` is the same as the header of our proxy.
            scope = scope | {"headers": headers}
        if not scope["query_string"].isascii():
            await _refuse(scope, send, MalformedQuery())
            return
        try:
            check_repeated(headers)
        except ApplicationError as error:
            await _refuse(scope, send, error)
            return
        given = dict(headers)
        length = given.get(b"content-length")
        if length is None and b"transfer-encoding" not in given:
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], BODY_MAX_BYTES)
        if length is not None and int(length) > limit:
            await _refuse(scope, send, PayloadTooLarge(), receive)
            return
        with SpooledTemporaryFile(BODY_MAX_BYTES) as body:
            try:
                size = await _read(receive, body, limit)
            except TimeoutError:
                await _refuse(scope, send, RequestTimeout())
                return
            if size is None:
                return
            if size > limit:
                await _refuse(scope, send, PayloadTooLarge(), receive)
                return
            if length is None:
                # A WSGI application does not look at a body that is not said to be there.
                scope = scope | {
                    "headers": [
                        *((name, value) for name, value in headers if name != b"transfer-encoding"),
                        (b"content-length", str(size).encode()),
                    ]
                }
            body.seek(0)
            await self.app(scope | {"shop.body": body}, receive, send)


async def _read(receive: Any, body: Any, limit: int) -> int | None:
    """Write what comes to ``body``; return its bytes, or ``None`` where the client went away.

    Raises ``TimeoutError`` where nothing comes for ``IDLE_SECONDS``, or less than
    ``BYTES_A_SECOND`` in the long run.
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
        size += len(part)
        body.write(part)
        if not message.get("more_body", False) or size > limit:
            return size


async def _refuse(scope: Any, send: Any, error: ApplicationError, receive: Any = None) -> None:
    """Answer with the error and close the connection, on which the body may still be coming.

    A connection that is closed with bytes unread is reset, and a client that is still sending then
    never sees the answer. So what it sends is thrown away for a while, if ``receive`` is given.
    """

    async def send_and_linger(message: Any) -> None:
        if receive is not None and message["type"] == "http.response.body":
            await send(message | {"more_body": True})
            await _throw_away(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    await send_error(send_and_linger, error, path=scope["path"], headers={"Connection": "close"})


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
