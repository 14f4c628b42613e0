"""uvicorn's websocket protocol, with a fast path for frames that go to many sockets.

A frame of the server is the same for every socket. So it is made once and written unchanged by the
ASGI extension ``shop.frames``: ``scope["extensions"]["shop.frames"]["send"]`` is
``SocketProtocol.send_frame``. An ASGI message for each socket costs several times as much.

The protocol also tells a client that does not read why it is closed. In uvicorn a close waits until
the client has read all messages before it. A client that reads nothing would then be closed by the
keepalive, with a meaningless code.

Clients have little to send here, and each of their frames takes time of the event loop. So input is
parsed a piece at a time. A client that sends pings and pongs faster than any real one is read no
faster than the allowed rate. It is not cut off, because it would come again.

Used by ``uvicorn --ws shop.server.sockets:SocketProtocol``.
"""

import struct
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

ABORT_SECONDS = 60.0
"""Seconds that a client has to read the close frame before the connection is cut."""

DRAIN_SECONDS = 5.0
"""The same when the server ends, which the connection would delay."""

FRAGMENTS = 100
"""The most frames of a message. Empty ones would not count in its size."""

PIECE = 1024
"""Bytes that are parsed before the next check for too many pings."""

CONTROLS = 100
"""Pings and pongs that a client may send at once."""

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
    """One connection, on which a close frame is sent at once."""

    # Whether the transport's buffer is above its mark. A close overrides `writable`, but not this.
    _full = False
    # The time at which all pings and pongs so far would have come at the allowed rate.
    _controls_until = 0.0
    # Bytes that wait until then to be parsed.
    _held = b""
    _waiting = False

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._waiting:
            self._parse_held()

    def _parse_held(self) -> None:
        """Parse the held bytes, a piece at a time, as far as the client's allowance goes."""
        self._waiting = False
        while self._held and not self.transport.is_closing():
            if (wait := self._controls_until - self.loop.time()) > 0:
                self._waiting = True
                self.loop.call_later(wait, self._parse_held)
                break
            piece, self._held = self._held[:PIECE], self._held[PIECE:]
            super().data_received(piece)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse_head()
        self._read_or_not()

    def _refuse_head(self) -> None:
        """Write the refusal of a head that is too long, and close the connection.

        uvicorn writes nothing then, and would leave the connection open for as long as it lasts.
        """
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def handle_ping(self) -> None:
        self._count_control()
        super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        self._count_control()
        super().handle_pong(event)

    def _count_control(self) -> None:
        until = max(self._controls_until, self.loop.time() - CONTROLS / CONTROLS_A_SECOND)
        self._controls_until = until + 1 / CONTROLS_A_SECOND

    def handle_parser_exception(self) -> None:
        """Close the connection, also where the handshake is not answered yet.

        A client may send a bad frame right behind its handshake. No close frame can be sent then,
        and uvicorn takes it for a fault of its own.
        """
        if self.conn.close_sent is not None:
            super().handle_parser_exception()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1002, "reason": ""})
        self.transport.close()

    async def run_asgi(self) -> None:
        """Serve the connection, and offer the extension."""
        # With compression every connection needs its own bytes, so shared frames do not work.
        if not self.conn.extensions:
            self.scope["extensions"]["shop.frames"] = {"send": self.send_frame}
        await super().run_asgi()

    def send_frame(self, frame: bytes) -> bool:
        """Write a frame. Return ``False`` and write nothing if the client has to read first."""
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
        """Stop reading, too, while the client does not take what was written.

        Otherwise the answers to its pings would fill a buffer without limit.
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
        """Take a further frame of a message, of at most ``FRAGMENTS``."""
        if len(self.frames) < FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send an ASGI message. A close follows what the client has yet to read."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.writable.set()
            await super().send(message)
            self._read_or_not()
            self.loop.call_later(ABORT_SECONDS, self.transport.abort)
            return
        await super().send(message)

    def shutdown(self) -> None:
        """Close with 1012. uvicorn calls this for every connection when the server ends."""
        super().shutdown()
        self.loop.call_later(DRAIN_SECONDS, self.transport.abort)
