"""uvicorn's HTTP protocol with a limit for everything that a client can make wait or grow.

A proxy in front has limits of its own; these hold without one. For each connection:

* The head of a request must come within ``HEAD_SECONDS``. The bytes between heads and bodies
  (chunk sizes and their extensions, trailers, empty lines) are limited.
* Trailers are dropped. A chunked request is the last one, because the parser would put its last
  trailer into the head of the next request.
* One request is in progress. What is pipelined behind it stays unparsed, and nothing more is read.
* A client that reads less than ``WRITE_BYTES_A_SECOND`` is cut off.
* Only a GET without a body may ask for an upgrade.
* When the process ends, an idle connection stays open for ``LINGER_SECONDS``. A proxy that keeps it
  may just be sending a request that it could not repeat.

``CONNECTIONS`` limits how many connections one address may have.
"""

import resource
from asyncio import TimerHandle, Transport

import msgspec
from django.conf import settings
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shop.core.addresses import is_trusted
from shop.core.admission import Room, address_holder
from shop.core.errors import ApplicationError, Unavailable, error_body, error_headers

HEAD_MAX_BYTES = 64 * 1024
HEADERS_MAX = 200
HEAD_SECONDS = 10.0
PIECE = 1024
"""Bytes that are parsed before the next check whether a request is complete."""
HELD_MAX_BYTES = 256 * 1024
WRITE_SECONDS = 20.0
WRITE_BYTES_A_SECOND = 1024
LINGER_SECONDS = 2.0

_open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
_most = _open_files - 256 if _open_files != resource.RLIM_INFINITY else 1_000_000
CONNECTIONS = Room(
    "connections",
    total=_most,
    share=min(settings.CONNECTIONS_PER_ADDRESS or _most, max(1, _most // 2)),
)


class NotHttp(ApplicationError):
    """The bytes cannot be read as a request."""

    code = "bad_request"
    detail = "This is no HTTP request."


class HeadTooLarge(ApplicationError):
    """The head of the request has too many bytes or headers."""

    status = 431
    code = "head_too_large"
    detail = "The headers are too large."


class HeadTooSlow(ApplicationError):
    """The head of the request did not come in time."""

    status = 408
    code = "request_timeout"
    detail = "The request did not come in time."


class _Flow(FlowControl):
    """Flow control that reads nothing while read bytes wait to be parsed."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A subclass that answers a request itself calls ``head_complete``."""

    _flow: _Flow
    _holder: str | None = None
    _in_head = True
    # Bytes since the head began, or since the last byte of a head or a body.
    _loose = 0
    _body_bytes = 0
    _held = b""
    _head_timer: TimerHandle | None = None
    _write_timer: TimerHandle | None = None
    _unread = 0
    _ending = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        peer = self.client[0] if self.client else ""
        if not is_trusted(peer):
            holder = address_holder(peer)
            try:
                CONNECTIONS.take(holder)
            except ApplicationError as error:
                self._refuse(error)
                return
            self._holder = holder
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the protocol of sockets, which has limits of its own."""
        if self._ending:
            self._refuse(Unavailable())
            return
        self._let_go()
        super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        """End once the open request is answered, or soon if there is none."""
        self._ending = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, self._end)
        else:
            super().shutdown()

    def _end(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()

    def _let_go(self) -> None:
        self._stop_head_timer()
        self._stop_write_timer()
        self._held = b""
        if self._holder is not None:
            CONNECTIONS.give_back(self._holder)
            self._holder = None

    # --- Reading -----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._held or self._is_busy():
            self._hold(data)
            return
        if len(data) <= PIECE:
            self._parse(data)
            return
        at = 0
        while at < len(data):
            if self._is_busy():
                self._hold(data[at:])
                return
            end = at + self._piece()
            self._parse(data[at:end])
            if self.parser is None or self.transport.get_protocol() is not self:
                return
            at = end

    def _piece(self) -> int:
        """Return how many bytes to parse at once. No request ends within a body's known length."""
        if not self._in_head:
            for name, value in self.headers:
                if name == b"content-length":
                    return max(PIECE, int(value) - self._body_bytes)
        return PIECE

    def _is_busy(self) -> bool:
        """Return whether a complete request is not answered yet, or none can follow."""
        cycle = self.cycle
        return self.transport.is_closing() or (
            cycle is not None and not cycle.response_complete and not cycle.more_body
        )

    def _hold(self, data: bytes) -> None:
        """Keep the bytes until the request in progress has been answered."""
        if self.transport.is_closing():
            return
        self._held += data
        if len(self._held) > HELD_MAX_BYTES:
            # The loop may already have had more when it was told to stop reading.
            self.transport.abort()
            return
        self._flow.held = True
        self.flow.pause_reading()

    def _parse(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            # The connection belongs to a socket now, and our timer would write HTTP on it.
            return
        cycle = self.cycle
        nothing_asked = self._in_head or cycle is None or cycle.response_complete
        # Most heads come in one piece, and then need no timer.
        if nothing_asked and self._head_timer is None and self.parser is not None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)
        if self._loose > HEAD_MAX_BYTES:
            self._refuse(HeadTooLarge())

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size() and self._write_timer is None:
            self._watch_writing()
        if self._held and not self.pipeline:
            # Not at once, because held requests may be answered at once, too, and would nest.
            self.loop.call_soon(self._parse_held)

    def _parse_held(self) -> None:
        held, self._held = self._held, b""
        self._flow.held = False
        if held and not self.transport.is_closing():
            self.data_received(held)
        if not self._held:
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._loose = 0
        self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        # Headers after the body are trailers, which nobody has asked for.
        if self._in_head:
            super().on_header(name, value)
            if len(self.headers) > HEADERS_MAX:
                self._refuse(HeadTooLarge())

    def on_headers_complete(self) -> None:
        self.head_complete()
        # ``close`` waits for what is written, but this answer is given up.
        self.scope["extensions"] = {"shop.abort": {"abort": self.transport.abort}}
        super().on_headers_complete()
        upgrades = self.parser.should_upgrade()
        if upgrades and self._should_upgrade():
            return
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        if upgrades or chunked or self._ending:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def head_complete(self) -> None:
        """Note that the head is complete, so the body or the next request follows."""
        self._in_head = False
        self._loose = 0
        self._stop_head_timer()

    def _should_upgrade(self) -> bool:
        return (
            self.parser.get_method() == b"GET"
            and not any(
                name in (b"content-length", b"transfer-encoding") for name, _ in self.headers
            )
            and super()._should_upgrade()
        )

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        self._refuse(HeadTooSlow())

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP; uvicorn calls this."""
        self._refuse(NotHttp())

    def _refuse(self, error: ApplicationError) -> None:
        """Answer with the error, even without a known address, and close the connection."""
        if self.transport.is_closing():
            return
        body = msgspec.json.encode(error_body(error))
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "cache-control": "private, no-store",
            "x-content-type-options": "nosniff",
            "connection": "close",
            **error_headers(error),
        }
        lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[error.status] + lines.encode() + b"\r\n" + body)
        self._close()

    # --- Writing -----------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def _watch_writing(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._look_at_writing)

    def _look_at_writing(self) -> None:
        """Cut off a client that has read too little since the last check."""
        self._write_timer = None
        unread = self.transport.get_write_buffer_size()
        if unread == 0:
            return
        if self._unread - unread < min(self._unread, WRITE_SECONDS * WRITE_BYTES_A_SECOND):
            self.transport.abort()
            return
        self._watch_writing()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _close(self) -> None:
        """Close once everything is sent. Cut the connection if that takes too long."""
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing():
            self._close()
