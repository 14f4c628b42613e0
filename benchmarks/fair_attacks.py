"""What one hostile account does to a server, until it is told to stop; for benchmarks.fair.

    python -m benchmarks.fair_attacks NAME PORT TOKEN

Every attack is bounded in connections, and opens a connection again when the server closes it.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable

EXPORT = "/api/v1/purchases/export.csv"
BUY = "/api/v1/purchases/"
BULK = "/api/v1/purchases/bulk/"
LINES = 20_000
# Each client on the loopback has an address of its own, as on the site.
ADDRESS = "127.0.0.2"


def _ndjson(lines: int) -> bytes:
    return b"\n".join(b'{"item":"x%d","price":"1"}' % number for number in range(lines))


class Hostile:
    """An account that attacks a port of this machine."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    def _head(self, method: str, path: str, *lines: str) -> bytes:
        given = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
        given.append(f"Authorization: Token {self._token}")
        return "\r\n".join([*given, "", ""]).encode()

    def _post(self, path: str, body: bytes, kind: str, *lines: str) -> bytes:
        length = f"Content-Length: {len(body)}"
        return self._head("POST", path, f"Content-Type: {kind}", length, *lines) + body

    async def _wire(self) -> socket.socket:
        wire = socket.socket()
        wire.setblocking(False)
        wire.bind((ADDRESS, 0))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", self._port))
        return wire

    async def _again(self, connections: int, once: Callable[[int], Awaitable[None]]) -> None:
        """Attack over so many connections at once, again and again."""

        async def one(number: int) -> None:
            while True:
                with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                    await once(number)
                await asyncio.sleep(0.05)

        await asyncio.gather(*(one(number) for number in range(connections)))

    async def _ask(self, data: bytes, seconds: float = 60.0) -> None:
        """Send a request and read its answer until the connection is closed or silent."""
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self._port, local_addr=(ADDRESS, 0)
            )
            try:
                writer.write(data)
                await writer.drain()
                await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.transport.abort()

    async def _push(self, start: bytes, more: bytes, pause: float = 0.0) -> None:
        """Send the start, then endless more, and read nothing."""
        loop = asyncio.get_running_loop()
        with await self._wire() as wire:
            await loop.sock_sendall(wire, start)
            while True:
                await loop.sock_sendall(wire, more)
                await asyncio.sleep(pause)

    async def _hold(self, data: bytes) -> None:
        """Send something, and read nothing until the server closes the connection."""
        loop = asyncio.get_running_loop()
        with await self._wire() as wire:
            await loop.sock_sendall(wire, data)
            while True:
                await asyncio.sleep(1)
                wire.send(b"")

    async def deaf_exports(self) -> None:
        await self._again(40, lambda _: self._hold(self._head("GET", EXPORT)))

    async def abandoned_exports(self) -> None:
        await self._again(10, lambda _: self._ask(self._head("GET", EXPORT), 0.1))

    async def heads_of_exports(self) -> None:
        await self._again(16, lambda _: self._ask(self._head("HEAD", EXPORT)))

    async def stalled_bodies(self) -> None:
        head = self._head("POST", BULK, "Content-Type: text/csv", "Content-Length: 1000000")
        await self._again(300, lambda _: self._hold(head + b"x" * 60_000))

    async def overlapping_dry_runs(self) -> None:
        kind = "application/x-ndjson"
        key = "Idempotency-Key: fair"
        bulk = self._post(f"{BULK}?dry_run=1", _ndjson(LINES), kind, key)

        async def once(number: int) -> None:
            if number < 2:
                await self._ask(bulk)
                return
            body = b'{"item":"y","price":"1"}'
            await self._ask(self._post(BUY, body, "application/json", f"{key}:{number}"))

        await self._again(50, once)

    async def uploads(self) -> None:
        bulk = self._post(BULK, _ndjson(LINES), "application/x-ndjson")
        await self._again(4, lambda _: self._ask(bulk))

    async def csv_bombs(self) -> None:
        body = b"price\n" + b'x","\n' * 100_000
        await self._again(8, lambda _: self._ask(self._post(BULK, body, "text/csv")))

    async def json_bombs(self) -> None:
        body = b'[{"price":"' + b"\\u0041" * 3_000_000 + b'"}]'
        await self._again(4, lambda _: self._ask(self._post(BULK, body, "application/json")))

    async def long_polls(self) -> None:
        path = "/api/v1/events/?after=0&wait=30&limit=1"
        await self._again(1000, lambda _: self._ask(self._head("GET", path)))

    async def pings(self) -> None:
        upgrade = self._head(
            "GET",
            "/ws/purchases/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        ping = b"\x89\xfd" + b"\0\0\0\0" + b"x" * 125
        await self._again(10, lambda _: self._push(upgrade, ping * 100, 0.01))

    async def reports(self) -> None:
        body = b'{"kind":"statement","since":"2024-01-01","until":"2030-01-01"}'
        await self._again(
            8, lambda _: self._ask(self._post("/api/v1/reports/", body, "application/json"))
        )

    async def pipelines(self) -> None:
        asked = self._head("GET", BUY)
        await self._again(20, lambda _: self._push(asked, asked * 100))

    async def trailers(self) -> None:
        head = self._head("POST", BUY, "Transfer-Encoding: chunked") + b"0\r\n"
        await self._again(20, lambda _: self._push(head, b"X: " + b"y" * 8000 + b"\r\n"))

    async def bad_tokens(self) -> None:
        async def once(number: int) -> None:
            token = f"{id(asyncio.current_task()):x}{asyncio.get_running_loop().time()}"
            bad = Hostile(self._port, token.replace(".", "") + "x" * 32)
            await bad._ask(bad._head("GET", "/api/v1/accounts/me/"))

        await self._again(30, once)


ATTACKS = (
    "deaf_exports",
    "abandoned_exports",
    "heads_of_exports",
    "stalled_bodies",
    "overlapping_dry_runs",
    "uploads",
    "csv_bombs",
    "json_bombs",
    "long_polls",
    "pings",
    "reports",
    "pipelines",
    "trailers",
    "bad_tokens",
)

if __name__ == "__main__":
    # A real attacker has a processor of its own. This one uses what the others leave.
    os.nice(19)
    asyncio.run(getattr(Hostile(int(sys.argv[2]), sys.argv[3]), sys.argv[1])())
