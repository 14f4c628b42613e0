"""A websocket client that costs little: thousands of sockets in one process.

    python -m benchmarks.feed_client PORT PATH SECONDS < sockets

It reads a line for each socket from standard input: a JSON object with its ``headers``, its
``query`` and whether it gets the ``whole`` feed. It opens all of them and prints ``ready``. After
SECONDS it prints one JSON object: frames, events, gaps, milliseconds from an event's ``at`` to its
arrival, and closed sockets.
"""

import asyncio
import base64
import json
import os
import re
import sys
import time
from datetime import datetime
from typing import Any

import uvloop

POSITION = re.compile(rb'"position":(\d+)')
AT = re.compile(rb'"at":"([^"]+)"')
SAMPLE = 16
"""The latency of one frame in so many is measured."""


class Totals:
    frames = events = gaps = closed = 0
    latencies: list[float] = []
    highest = 0


class Socket(asyncio.Protocol):
    """One socket. It checks that positions only grow, and without a gap if ``whole`` is set."""

    def __init__(self, path: str, headers: dict[str, str], whole: bool, ready: asyncio.Event):
        self.path, self.headers, self.whole, self.ready = path, headers, whole, ready
        self.buffer = bytearray()
        self.open = False
        self.position = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self.path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]  # fmt: skip
        transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        Totals.closed += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise SystemExit(head.decode())
            self.open, self.buffer = True, bytearray(rest)
        while (frame := self._frame()) is not None:
            self._take(frame)

    def _frame(self) -> bytes | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 127, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + length:
            return None
        kind, frame = buffer[0] & 15, bytes(buffer[start : start + length])
        del buffer[: start + length]
        if kind == 9:
            mask = os.urandom(4)
            masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(frame))
            self.transport.write(bytes([0x8A, 0x80 | len(frame)]) + mask + masked)
            return b""
        return frame if kind in (1, 2) else b""

    def _take(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"hello"'):
            found = POSITION.search(frame)
            self.position = int(found[1]) if found else 0
            self.ready.set()
            return
        if b'"events":[' not in frame[:40]:
            return
        count = frame.count(b'"event":')
        first = POSITION.search(frame)
        last = int(frame[frame.rindex(b":") + 1 : -1])
        Totals.frames += 1
        Totals.events += count
        if first is not None:
            behind = int(first[1]) <= self.position
            gap = self.whole and int(first[1]) != self.position + 1
            Totals.gaps += behind or gap or (self.whole and last - int(first[1]) != count - 1)
        self.position = last
        Totals.highest = max(Totals.highest, last)
        if Totals.frames % SAMPLE == 0:
            now = time.time()
            for at in AT.findall(frame):
                moment = datetime.fromisoformat(at.decode()).timestamp()
                Totals.latencies.append((now - moment) * 1000)


async def run(port: int, path: str, seconds: float, sockets: list[dict[str, Any]]) -> None:
    loop = asyncio.get_running_loop()
    opened = []
    for start in range(0, len(sockets), 50):
        waiting = []
        for one in sockets[start : start + 50]:
            ready = asyncio.Event()
            _, protocol = await loop.create_connection(
                lambda one=one, ready=ready: Socket(  # type: ignore[misc]
                    path + one.get("query", ""), one["headers"], one["whole"], ready
                ),
                "127.0.0.1",
                port,
            )
            opened.append(protocol)
            waiting.append(ready.wait())
        await asyncio.wait_for(asyncio.gather(*waiting), 60)
    print("ready", flush=True)
    await asyncio.sleep(seconds)
    behind = sum(one.whole and one.position != Totals.highest for one in opened)
    latencies = sorted(Totals.latencies) or [0.0]
    result = {
        "frames": Totals.frames,
        "events": Totals.events,
        "gaps": Totals.gaps,
        "behind": behind,
        "closed": Totals.closed,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[int(len(latencies) * 0.99)],
        "most": latencies[-1],
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(
        run(
            int(sys.argv[1]),
            sys.argv[2],
            float(sys.argv[3]),
            [json.loads(line) for line in sys.stdin],
        )
    )
