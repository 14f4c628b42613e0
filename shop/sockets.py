"""uvicorn's websocket protocol, which tells even a client that does not read why it is closed.

uvicorn lets a close wait, as every message, until the client has read what was sent before; a
client that reads nothing would then be closed by the keepalive, with a code that says nothing.
Used by ``uvicorn --ws shop.sockets:SocketProtocol``.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT_SECONDS = 60.0
"""How long a client has to read up to the close frame before the connection is cut."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection, on which a close frame goes out at once."""

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a close goes behind what the client has yet to read."""
        if message["type"] == "websocket.close" and not self.writable.is_set():
            self.writable.set()
            await super().send(message)
            self.loop.call_later(ABORT_SECONDS, self.transport.abort)
            return
        await super().send(message)
