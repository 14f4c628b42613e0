"""uvicorn's websocket protocol, with a short way for frames that go to many sockets.

A frame that the server sends is the same bytes for every socket, so it is made once and written as
it is, by the ASGI extension ``shop.frames``: ``scope["extensions"]["shop.frames"]["send"]`` is
:meth:`SocketProtocol.send_frame`. An ASGI message for each socket costs several times as much.

It also tells even a client that does not read why it is closed: uvicorn lets a close wait, as every
message, until the client has read what was sent before; a client that reads nothing would then be
closed by the keepalive, with a code that says nothing.

A client has little to say here, and each frame that it sends takes the event loop's time, however
small it is. So what comes is parsed a piece at a time. A client that sends pings and pongs faster
than any does is read no faster than the allowed rate. It is not cut off: it would come again.

Used by ``uvicorn --ws shop.server.sockets:SocketProtocol``.
"""

import struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

ABORT_SECONDS = 60.0
"""How long a client has to read up to the close frame before the connection is cut."""

DRAIN_SECONDS = 5.0
"""The same where the server itself is about to end, which the connection would hold up."""

FRAGMENTS = 100
"""Of how many frames a message may consist; empty ones would count nothing against its size."""

PIECE = 1024
"""How many bytes are parsed before it is looked whether the client has sent too many pings."""

CONTROLS = 100
"""How many pings and pongs a client may send at once."""

CONTROLS_A_SECOND = 2.0


def text_frame(text: str) -> bytes:
    """Return a text message as a server's one frame: final, not masked (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x81, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x81, 126, size)
    else:
        head = struct.pack("!BBQ", 0x81, 127, size)
    return head + payload


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection, on which a close frame goes out at once."""

    # Whether the transport's buffer is above its mark; a close overrides `writable`, not this.
    _full = False
    # The time at which all pings and pongs so far would have come at the allowed rate.
    _controls_until = 0.0
    # What was read and waits to be parsed until then.
    _held = b""
    _waiting = False

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._waiting:
            self._parse_held()

    def _parse_held(self) -> None:
        """Parse what is held, a piece at a time, as far as the client's allowance goes."""
        self._waiting = False
        while self._held and not self.transport.is_closing():
            if (wait := self._controls_until - self.loop.time()) > 0:
                self._waiting = True
                self.loop.call_later(wait, self._parse_held)
                break
            piece, self._held = self._held[:PIECE], self._held[PIECE:]
            super().data_received(piece)
        self._read_or_not()

    def handle_ping(self) -> None:
        self._count_control()
        super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        self._count_control()
        super().handle_pong(event)

    def _count_control(self) -> None:
        until = max(self._controls_until, self.loop.time() - CONTROLS / CONTROLS_A_SECOND)
        self._controls_until = until + 1 / CONTROLS_A_SECOND

    async def run_asgi(self) -> None:
        """Serve the connection with the extension offered."""
        # With compression every connection needs bytes of its own, so shared frames do not work.
        if not self.conn.extensions:
            self.scope["extensions"]["shop.frames"] = {"send": self.send_frame}
        await super().run_asgi()

    def send_frame(self, frame: bytes) -> bool:
        """Write a frame; return whether it was, which it is not while the client has to read."""
        if (
            not self.writable.is_set()
            or self.conn.state is not State.OPEN
            or not self.handshake_complete
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(frame)
        return True

    def pause_writing(self) -> None:
        """Stop reading as well, while the client does not take what was written.

        Whatever it sends meanwhile, such as pings, would be answered into a buffer without bound.
        """
        super().pause_writing()
        self._full = True
        self._read_or_not()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._full = False
        self._read_or_not()

    async def receive(self) -> Any:
        message = await super().receive()
        self._read_or_not()
        return message

    def _read_or_not(self) -> None:
        if self.transport.is_closing():
            return
        if self._full or self.read_paused or self._waiting:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def handle_cont(self, event: Any) -> None:
        """Take a further frame of a message, of which there may be ``FRAGMENTS``."""
        if len(self.frames) < FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a close goes behind what the client has yet to read."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.writable.set()
            await super().send(message)
            self._read_or_not()
            self.loop.call_later(ABORT_SECONDS, self.transport.abort)
            return
        await super().send(message)

    def shutdown(self) -> None:
        """Close with 1012; called for every connection when the server is told to end."""
        super().shutdown()
        self.loop.call_later(DRAIN_SECONDS, self.transport.abort)
