"""Django in threads, behind a gate that lets no holder have all of them.

``Gate`` is the ASGI application that runs a WSGI one. A request waits for a thread in a
``shop.core.admission.Room``, for a bounded time. It holds the thread while Django works, but not
while a client reads, because the event loop sends finished answers and files. Only a response that
Django makes while it is being sent keeps its thread.

``scope["shop.arrived"]`` is when the request came, by ``time.monotonic``.

``environ["shop.stopped"]`` is a callable that tells a view whether its client has left. A view
calls ``environ["shop.outage"]`` after an outage that every other request would meet, too.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

import structlog
from a2wsgi.wsgi import build_environ
from django.db import close_old_connections

from shop.core import pace
from shop.core.admission import Room, Tab
from shop.core.errors import ApplicationError, OutcomeUnknown, Unavailable, send_error
from shop.core.threads import Threads

logger = structlog.get_logger(__name__)

WAITING = 512
WAITING_SECONDS = 4.0
ANSWER_SECONDS = 5.6
"""Seconds after its arrival within which a request is answered in an outage."""
OUTAGE_SECONDS = 6.0
"""Seconds that an outage is assumed to last after the last sign of it, unless a check succeeds."""
CHECK_SECONDS = 1.0
"""Seconds between two checks whether an outage is over."""
POLL_SECONDS = 0.1
WRITE_SECONDS = 60.0
"""Seconds a thread waits until a part of its response is taken. The protocol cuts earlier."""
BLOCK = 64 * 1024
HELD_BYTES = 128 * 1024 * 1024
HELD_SHARE = 32 * 1024 * 1024


class _ClientGone(Exception):
    """The client no longer reads the response."""


class _File:
    """A file that Django answers with; PEP 3333 calls it ``file_wrapper``."""

    def __init__(self, file: IO[bytes], block: int = BLOCK) -> None:
        self.file = file

    def close(self) -> None:
        close: Callable[[], None] = getattr(self.file, "close", lambda: None)
        close()


def _call(
    app: Any,
    scope: Any,
    stopped: Callable[[], bool] = lambda: False,
    outage: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], Any, Any]:
    """Return the ASGI start of the response, what was written, and the rest as an iterable."""
    environ: Any = build_environ(scope, None)  # type: ignore[arg-type]
    environ["wsgi.input"] = scope.get("shop.body") or BytesIO()
    environ["wsgi.file_wrapper"] = _File
    environ["shop.stopped"] = stopped
    environ["shop.outage"] = outage
    start: dict[str, Any] = {"type": "http.response.start"}
    parts: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc: Any = None) -> Any:
        start["status"] = int(status[:3])
        start["headers"] = [
            (name.strip().lower().encode("latin-1"), value.strip().encode("latin-1"))
            for name, value in headers
        ]
        return parts.append

    return start, parts, app(environ, start_response)


def answer_of(app: Any, scope: Any) -> tuple[dict[str, Any], bytes]:
    """Return start and body of the WSGI application's answer; runs in the calling thread."""
    start, parts, response = _call(app, scope)
    try:
        return start, b"".join([*parts, *response])
    finally:
        response.close()


class _Response:
    """One request in its thread, and its progress."""

    def __init__(self, scope: Any, stopped: threading.Event, send: Any) -> None:
        self.scope = scope
        self.stopped = stopped
        self.send = send
        self.loop = asyncio.get_running_loop()
        self.started = False
        # Processor seconds.
        self.worked = 0.0
        self.start: dict[str, Any] = {}
        self.body = b""
        self.file: _File | None = None
        self.met_outage = False

    def _note_outage(self) -> None:
        self.met_outage = True

    def make(self, app: Any) -> None:
        """Call the WSGI application, and keep its answer, or send it if it is a stream."""
        began = time.thread_time()
        try:
            self._make(app)
        finally:
            self.worked = time.thread_time() - began

    def _make(self, app: Any) -> None:
        self.start, parts, response = _call(app, self.scope, self.stopped.is_set, self._note_outage)
        if isinstance(response, _File) and self.scope["method"] != "HEAD":
            self.file = response
            self.body = response.file.read(BLOCK)
            # Another thread closes it, and does not reach this thread's database connection.
            close_old_connections()
            return
        try:
            if self.scope["method"] == "HEAD":
                return
            if getattr(response, "streaming", False):
                self._stream(response)
            else:
                self.body = b"".join([*parts, *response])
        finally:
            response.close()

    def _stream(self, response: Any) -> None:
        for part in response:
            if not self.started:
                self.started = True
                self._write(self.start)
            self._write({"type": "http.response.body", "body": part, "more_body": True})

    def _write(self, message: Any) -> None:
        if self.stopped.is_set():
            raise _ClientGone
        sent = asyncio.run_coroutine_threadsafe(self.send(message), self.loop)
        try:
            sent.result(WRITE_SECONDS)
        except TimeoutError:
            sent.cancel()
            raise _ClientGone from None


class _Lane:
    """Some threads, and the room in which requests wait for them."""

    def __init__(self, name: str, count: int, share: int) -> None:
        self.threads = Threads(count, name)
        self.room = Room(
            name,
            total=count,
            share=max(1, share),
            waiting=WAITING,
            waiting_share=WAITING // 2,
            seconds=WAITING_SECONDS,
        )


class Gate:
    """The ASGI application that gives each request a thread for the WSGI application ``app``.

    ``scope["shop.holder"]`` is the holder, and ``scope["shop.body"]`` the file with the body, if
    there is one. Without a free thread the answer is 503, or 429, with ``Retry-After``.

    A body of more than ``large`` bytes means much work, so its request goes to threads of its own.

    ``over`` is called in a thread during an outage, and says whether the servers answer again.
    """

    def __init__(
        self,
        app: Any,
        *,
        threads: int,
        large_threads: int,
        large: int,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._over = over
        self._lanes = (
            _Lane("threads", threads, threads * 3 // 8),
            _Lane("bulk", large_threads, large_threads // 2),
        )
        self._large = large
        self._files = Threads(2, "files")
        self._outage_until = 0.0
        self._checks = Threads(1, "outage")
        self._checking: asyncio.Task[None] | None = None
        # Finished answers that their clients have not taken yet.
        self._held = Room("answers", total=HELD_BYTES, share=HELD_SHARE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        arrived = scope.get("shop.arrived") or time.monotonic()
        stopped = threading.Event()
        left = asyncio.create_task(_left(receive))
        left.add_done_callback(lambda _: stopped.set())
        response = _Response(scope, stopped, send)
        holder = scope["shop.holder"]
        large = scope.get("shop.size", 0) > self._large
        lane = self._lanes[large]
        if not large:
            pace.asked.note(holder)
        try:
            if not await self._enter(lane.room, holder, left):
                return
            made = lane.threads.run(response.make, self._app)
            # The place is held as long as the thread works, even if its client has left.
            made.add_done_callback(lambda _: pace.leave(lane.room, holder, response.worked))
            # An outage does not abort long work halfway.
            await self._made(made, response, arrived if not large else math.inf)
            await self._send(holder, response, send)
        except _ClientGone:
            return
        except ApplicationError as error:
            await send_error(send, error, path=scope["path"])
        finally:
            left.cancel()

    async def _enter(self, room: Room, holder: str, left: "asyncio.Task[None]") -> bool:
        """Wait for a thread. Return whether the client stayed. Raise as ``Room.enter`` does."""
        if self._in_outage():
            # A request that waited for a thread would only meet the same outage.
            await room.enter(holder, seconds=0.0)
            return True
        try:
            async with asyncio.timeout(None) as waiting:
                loop = asyncio.get_running_loop()
                over = False

                def give_up(task: Any) -> None:
                    # The client's departure may be reported just as the waiting ends.
                    if not waiting.expired() and not over:
                        waiting.reschedule(loop.time())

                left.add_done_callback(give_up)
                try:
                    await room.enter(holder)
                finally:
                    over = True
                    left.remove_done_callback(give_up)
        except TimeoutError:
            return False
        return True

    async def _made(
        self, made: "asyncio.Future[None]", response: _Response, arrived: float
    ) -> None:
        """Wait for the thread, but in an outage only until ``ANSWER_SECONDS`` after arrival."""
        seconds = max(0.1, arrived + ANSWER_SECONDS - time.monotonic())
        while not (await asyncio.wait({made}, timeout=min(seconds, threading.TIMEOUT_MAX)))[0]:
            seconds = POLL_SECONDS
            if self._in_outage() and not response.started:
                response.stopped.set()
                made.add_done_callback(lambda _: _discard(made, response))
                reads = response.scope["method"] in ("GET", "HEAD", "OPTIONS")
                raise Unavailable() if reads else OutcomeUnknown()
        made.result()
        if response.met_outage:
            self._outage_until = time.monotonic() + OUTAGE_SECONDS
            for lane in self._lanes:
                lane.room.turn_away()
            if self._checking is None or self._checking.done():
                self._checking = asyncio.create_task(self._check())

    def _in_outage(self) -> bool:
        return time.monotonic() < self._outage_until

    async def _check(self) -> None:
        """Let requests wait for threads again as soon as the outage is over."""
        while self._in_outage():
            await asyncio.sleep(CHECK_SECONDS)
            until = self._outage_until
            if await self._checks.run(self._over) and until == self._outage_until:
                self._outage_until = 0.0

    async def _send(self, holder: str, response: _Response, send: Any) -> None:
        """Send what the thread has made, at the pace of the client."""
        try:
            if response.started:
                await send({"type": "http.response.body", "body": b""})
                return
            with Tab(self._held, holder) as tab:
                if len(response.body) > BLOCK:
                    tab.add(len(response.body))
                await send(response.start)
                view = memoryview(response.body)
                for at in range(0, len(view) - BLOCK, BLOCK):
                    await _send_part(send, response, bytes(view[at : at + BLOCK]))
                rest = bytes(view[(max(0, len(view) - 1) // BLOCK) * BLOCK :])
                view.release()
            while response.file is not None and rest:
                following = await self._files.run(response.file.file.read, BLOCK)
                if not following:
                    break
                await _send_part(send, response, rest)
                rest = following
            await send({"type": "http.response.body", "body": rest})
        finally:
            if response.file is not None:
                self._files.run(response.file.close)


async def _send_part(send: Any, response: _Response, part: bytes) -> None:
    if response.stopped.is_set():
        raise _ClientGone
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _left(receive: Any) -> None:
    """Return once the client has left or its request is answered."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _discard(made: "asyncio.Future[None]", response: _Response) -> None:
    """Log the end of a request that was answered before its thread was done."""
    if not made.cancelled() and (error := made.exception()):
        logger.warning("request.ended_late", error=type(error).__name__)
    if response.file is not None:
        response.file.close()
