"""Long answers: a view in a thread says what to stream, and the event loop streams it.

The view authorises, validates and answers with headers, like any other. Then its thread is free,
and the body is sent at the pace of the client. The client gets a complete body or a broken
connection, because only a complete one ends with the last chunk of its chunked encoding.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Protocol

import structlog
from django.http import HttpRequest, StreamingHttpResponse

from shop.core import pace
from shop.core.admission import Room
from shop.core.errors import ApplicationError, ServerError, Unavailable, send_error
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

App = Callable[[Any, Any, Any], Awaitable[None]]

PLACES = 8
SHARE = 2
WAITING = 32
WAITING_SHARE = 4
WAITING_SECONDS = 5.0
SEND_SECONDS = 30.0
"""Seconds a client may take to read a block before its connection is broken."""
BYTES_A_SECOND = 32 * 1024
"""Bytes a second that a client must read in the long run."""

room = Room(
    "streams",
    total=PLACES,
    share=SHARE,
    waiting=WAITING,
    waiting_share=WAITING_SHARE,
    seconds=WAITING_SECONDS,
)

_KEY = "shop.streamed"


class Source(Protocol):
    """A body that is made while it is sent."""

    @property
    def holder(self) -> str:
        """Return the holder that takes a place in the room for it."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body. Closing the generator gives back what it holds."""

    def blocks_here(self) -> Iterator[bytes]:
        """Yield the same in the calling thread, for servers without an event loop."""


def streamed(
    request: HttpRequest, source: Source, room: Room = room, /, **headers: str
) -> StreamingHttpResponse:
    """Return the answer whose body is ``source``, which is streamed once its thread is free.

    A source that waits rather than works has a ``room`` of its own, so that it takes no place from
    those that work.
    """
    scope = request.META.get("asgi.scope", {})
    if _KEY in scope:
        scope[_KEY].append((source, room))
        body: Iterator[bytes] = iter(())
    else:
        body = source.blocks_here()
    return StreamingHttpResponse(body, headers=headers)


class Streams:
    """The ASGI application in front of the threads, which streams what their views return."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        sources: list[tuple[Source, Room]] = []
        start: Any = None

        async def send_or_hold(message: Any) -> None:
            nonlocal start
            if not sources:
                await send(message)
            elif message["type"] == "http.response.start":
                start = message

        await self.app(scope | {_KEY: sources}, receive, send_or_hold)
        if start is None:
            return
        sending = asyncio.ensure_future(_Answer(scope, send, start).stream(*sources[0]))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            # The body is not needed once the client has left or the server ends.
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending


async def _left(receive: Any) -> None:
    """Return once the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Answer:
    """One answer in progress: what was sent, and how long the client has taken."""

    def __init__(self, scope: Any, send: Any, start: Any) -> None:
        self._scope = scope
        self._send = send
        self._start = start
        self._started = False
        self._bytes = 0
        self._seconds = 0.0

    async def stream(self, source: Source, place: Room) -> None:
        """Send headers and body, or an error if one occurs before the first block."""
        try:
            if place is room:
                await room.enter(source.holder)
            else:
                place.take(source.holder)
            began = time.monotonic()
            try:
                async with contextlib.aclosing(source.blocks()) as blocks:
                    async for block in blocks:
                        if not self._started:
                            await self._begin()
                        await self._write(block)
            finally:
                if place is room:
                    # A client that leaves and asks again costs as much as one that stays.
                    worked = time.monotonic() - began - self._seconds
                    pace.leave(room, source.holder, worked)
                else:
                    place.give_back(source.holder)
            await self._end()
        except TimeoutError:
            logger.info("stream.client_too_slow", path=self._scope["path"], bytes=self._bytes)
            self._break_off()
        except Exception as error:
            if self._started:
                logger.warning("stream.broken", path=self._scope["path"], reason=repr(error))
                self._break_off()
                return
            if is_outage(error):
                logger.warning("stream.unavailable", reason=type(error).__name__)
                error = Unavailable()
            elif not isinstance(error, ApplicationError):
                logger.exception("stream.failed", path=self._scope["path"])
                error = ServerError()
            await send_error(
                self._send, error, path=self._scope["path"], headers=self._request_id()
            )

    def _request_id(self) -> dict[str, str]:
        request_id = dict(self._start["headers"]).get(b"x-request-id", b"")
        return {"X-Request-ID": request_id.decode()}

    async def _begin(self) -> None:
        self._started = True
        await self._send(self._start)

    async def _write(self, block: bytes) -> None:
        """Send a block. Raise ``TimeoutError`` if the client does not read."""
        self._bytes += len(block)
        left = SEND_SECONDS + self._bytes / BYTES_A_SECOND - self._seconds
        began = time.monotonic()
        async with asyncio.timeout(min(left, SEND_SECONDS)):
            await self._send({"type": "http.response.body", "body": block, "more_body": True})
        self._seconds += time.monotonic() - began

    async def _end(self) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _break_off(self) -> None:
        """Break the connection, so that the client cannot take its part for the whole."""
        abort = self._scope.get("extensions", {}).get("shop.abort")
        if abort is None:
            raise ConnectionAbortedError("The answer ends here, without its last chunk.")
        abort["abort"]()
