"""What a socket keeps of its HTTP connection, and how it ends with its process."""

import asyncio
import socket
import time
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from shop.server import protocol, sockets

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def _talk(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "x" * 20_000_000})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def test_a_process_that_stops_waits_for_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DRAIN_SECONDS", 0.5)

    async def stop() -> tuple[int, float]:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                _talk,
                ws=sockets.SocketProtocol,
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=20,
            )
        )
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        address = listener.getsockname()
        _, deaf = await asyncio.open_connection(*address, limit=1)
        deaf.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.write(HANDSHAKE)
        async with connect(f"ws://{address[0]}:{address[1]}", max_size=None) as client:
            await client.recv()
            await asyncio.sleep(0.2)
            server.should_exit = True
            began = time.monotonic()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            code = client.close_code
            await serving
        deaf.close()
        return code or 0, time.monotonic() - began

    code, seconds = asyncio.run(stop())
    assert code == 1012
    assert seconds < 5


def test_no_timer_of_the_request_ends_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(1)
        await send({"type": "websocket.send", "text": "still here"})
        await receive()

    async def talk() -> Any:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=protocol.LimitedProtocol,
                ws=sockets.SocketProtocol,
                lifespan="off",
                log_config=None,
            )
        )
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        host, port = listener.getsockname()
        async with connect(f"ws://{host}:{port}") as client:
            heard = await client.recv()
        server.should_exit = True
        await serving
        return heard

    assert asyncio.run(talk()) == "still here"
