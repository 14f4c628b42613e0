"""Many connections at once, written by hand, whose clients read little."""

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Told:
    """The answer on one connection; ``status`` is 0 if none came in time."""

    status: int = 0
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


def head(method: str, path: str, token: str = "", *lines: str) -> bytes:
    """Return the head of a request."""
    given = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    if token:
        given.append(f"Authorization: Token {token}")
    return "\r\n".join([*given, "", ""]).encode()


async def ask(port: int, data: bytes, seconds: float) -> Told:
    """Send one request. Return the head of its answer and the seconds until it came."""
    started = time.monotonic()
    told = Told()
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(data)
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                told.status = int(lines[0].split()[1])
                pairs = [line.partition(": ") for line in lines[1:] if line]
                told.headers = {name.lower(): value for name, _, value in pairs}
            finally:
                writer.transport.abort()
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        pass
    told.seconds = time.monotonic() - started
    return told


def ask_all(port: int, requests: list[bytes], seconds: float = 30.0) -> list[Told]:
    """Send every request at once, each over a connection of its own."""

    async def everything() -> list[Told]:
        return await asyncio.gather(*(ask(port, data, seconds) for data in requests))

    return asyncio.run(everything())
