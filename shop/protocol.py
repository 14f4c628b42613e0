"""uvicorn's HTTP protocol, which takes no head of a request that is too long or too slow.

uvicorn reads headers for as long as they come and keeps them all. A proxy in front has limits of
its own; this one holds where there is none.
"""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_MAX_BYTES = 128 * 1024
HEAD_SECONDS = 20.0


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A subclass that answers a request itself calls :meth:`head_complete`."""

    _head_bytes = 0
    _in_head = True
    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self._refuse(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
            elif self._head_timer is None:
                # Most heads come in one piece, and then no timer was needed.
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self.head_complete()
        super().on_headers_complete()

    def head_complete(self) -> None:
        """Note that the head is complete; what comes now is a body or the next request."""
        self._in_head = False
        self._stop_head_timer()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        self._refuse(STATUS_LINE[408])

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(status + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
