"""A load that is fair: what ten accounts notice of one that does its worst.

    python -m shop.local.embedded --durable python -m benchmarks.fair

Ten accounts buy, list and watch their feeds at an even pace. Each attack of
``benchmarks.fair_attacks`` goes on beside them for some seconds, from one more account and address,
with the quotas of a site in production. A figure is the 99th percentile under attack divided by
that of the seconds before, when all was quiet.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter, defaultdict
from typing import Any

import psutil

from benchmarks.fair_attacks import ATTACKS, LINES
from benchmarks.single_buy import OURS, SOCKETS, _serving
from benchmarks.tables import table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
OTHERS = 10
PAUSE = 0.1
ROWS = ("buy", "list", "feed", "livez")
NEED_A_LIST = ("deaf_exports", "abandoned_exports", "heads_of_exports")
QUOTAS = {
    "QUOTA_REQUESTS_PER_MINUTE": "6000",
    "CONNECTIONS_PER_ADDRESS": "1000",
    "QUOTA_SOCKETS": "50",
    "QUOTA_ADDRESS_SOCKETS": "1000",
    "QUOTA_REPORTS_PER_HOUR": "60",
    "QUOTA_REPORT_PAGES_PER_HOUR": "20000",
}


class _Seen:
    """Durations in ms, and the statuses of bad answers."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.refused: Counter[int] = Counter()

    def note(self, what: str, started: float) -> None:
        self.taken[what].append((time.perf_counter() - started) * 1000)

    def p99(self, what: str) -> float:
        values = sorted(self.taken[what])
        return values[int(len(values) * 0.99)] if values else float("inf")


class _Connection:
    """One kept connection, opened again after the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: Any = None

    async def ask(self, data: bytes) -> int:
        """Return the status; 0 if there was no answer within ten seconds."""
        try:
            async with asyncio.timeout(10):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(data)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                if b"connection: close" in head:
                    self.close()
                return int(head.split()[1])
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return 0

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _buyer(port: int, token: str, until: float, seen: _Seen) -> None:
    """Buy, list and wait for the account's own events, again and again."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    connection = _Connection(port)
    bought: dict[str, float] = {}
    joined = asyncio.Event()

    async def watch() -> None:
        headers = {"Authorization": f"Token {token}"}
        url = f"ws://127.0.0.1:{port}/ws/purchases/"
        while True:
            try:
                async with connect(url, additional_headers=headers, proxy=None) as feed:
                    async for text in feed:
                        joined.set()
                        data = json.loads(text)
                        for event in data.get("events", [data]):
                            item = event.get("purchase", {}).get("item")
                            if item in bought:
                                seen.note("feed", bought.pop(item))
            except (OSError, WebSocketException):
                seen.refused[0] += 1
                await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            await joined.wait()
    while time.monotonic() < until:
        item = uuid.uuid4().hex
        for what, data in (
            ("buy", _request("POST", "/api/v1/purchases/", token,
                             json.dumps({"item": item, "price": "1"}).encode())),
            ("list", _request("GET", "/api/v1/purchases/", token)),
        ):  # fmt: skip
            started = time.perf_counter()
            if what == "buy":
                bought[item] = started
            status = await connection.ask(data)
            seen.note(what, started)
            if status not in (200, 201):
                seen.refused[status] += 1
                bought.pop(item, None)
            await asyncio.sleep(PAUSE / 2)
    for _ in range(50):
        if bought:
            await asyncio.sleep(0.1)
    watching.cancel()
    for started in bought.values():
        seen.note("feed", started)
    connection.close()


async def _probe(port: int, until: float, seen: _Seen) -> None:
    while time.monotonic() < until:
        connection = _Connection(port)
        started = time.perf_counter()
        status = await connection.ask(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen.note("livez", started)
        connection.close()
        if status != 200:
            seen.refused[status] += 1
        await asyncio.sleep(PAUSE)


def _watch_others(port: int, tokens: list[str], seconds: float) -> _Seen:
    seen = _Seen()

    async def everybody() -> None:
        until = time.monotonic() + seconds
        buyers = (_buyer(port, token, until, seen) for token in tokens)
        await asyncio.gather(*buyers, _probe(port, until, seen))

    asyncio.run(everybody())
    return seen


def _server(port: int) -> psutil.Process:
    """Return the process that listens on the port."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if str(port) in command and "uvicorn" in command:
                return process
    raise SystemExit("The server does not run.")


def _processor(server: psutil.Process) -> tuple[float, float]:
    """Return the processor seconds that server and PostgreSQL have taken so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    database = psutil.Process(backend).parent()
    # Ended processes count with their parent.
    seconds = sum(database.cpu_times())
    for process in database.children():
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:2])
    return sum(server.cpu_times()[:2]), seconds


def _attack(name: str, port: int, hostile: str, tokens: list[str], seconds: float) -> list[Any]:
    """Return the row of one attack."""
    if name in NEED_A_LIST:
        _hostile(port, hostile)
    # Wait until earlier work is over.
    _watch_others(port, tokens, 1)
    quiet = _watch_others(port, tokens, seconds)
    server = _server(port)
    before = server.memory_info().rss
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fair_attacks", name, str(port), hostile]
    )
    try:
        time.sleep(1)
        started, taken = time.monotonic(), _processor(server)
        seen = _watch_others(port, tokens, seconds)
        passed = time.monotonic() - started
        shares = [
            f"{100 * (now - then) / passed:.0f}"
            for now, then in zip(_processor(server), taken, strict=True)
        ]
        grown = (server.memory_info().rss - before) / 1e6
        if process.poll() is not None:
            raise SystemExit(f"The attack {name} has ended by itself.")
    finally:
        process.kill()
        process.wait()
    ratios = [
        f"{seen.p99(what) / quiet.p99(what):.1f} ({quiet.p99(what):.0f} → {seen.p99(what):.0f})"
        for what in ROWS[:3]
    ]
    refused = ", ".join(f"{count} × {status}" for status, count in sorted(seen.refused.items()))
    slowest = max(seen.taken["livez"], default=float("inf"))
    row = [
        name.replace("_", " "), *ratios, f"{slowest:.0f}", refused or "0",
        " + ".join(shares), f"{grown:+.0f}",
    ]  # fmt: skip
    print(*row, sep=" | ", file=sys.stderr, flush=True)
    return row


def _hostile(port: int, token: str) -> None:
    """Give the hostile account a list that takes long to export."""
    lines = [json.dumps({"item": f"{number} " + "x" * 90, "price": "1"}) for number in range(LINES)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/purchases/bulk/",
        "\n".join(lines).encode(),
        {"Authorization": f"Token {token}", "Content-Type": "application/x-ndjson"},
    )
    urllib.request.urlopen(request, timeout=120).close()


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the attacks one after another. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fair", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=ATTACKS)
    options = parser.parse_args(arguments)
    os.environ |= QUOTAS
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.feed import _accounts, _relay

    call_command("migrate", verbosity=0)
    # Each attack has the whole quota of an account.
    _, tokens = _accounts(OTHERS + len(options.attacks))
    attackers, tokens = tokens[OTHERS:], tokens[:OTHERS]
    rows = []
    with _serving(OURS + SOCKETS) as port, _relay():
        _watch_others(port, tokens, 2)
        for name, hostile in zip(options.attacks, attackers, strict=True):
            rows.append(_attack(name, port, hostile, tokens, options.seconds))
            # Wait until the rest of the attack has ended.
            time.sleep(3)
    return table(
        [
            "one account attacks by", "buys p99, × quiet (ms)", "lists p99, × quiet (ms)",
            "feed p99, × quiet (ms)", "slowest /livez ms", "others not served",
            "processor of server + database, %", "server memory, MB",
        ],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    print("\n".join(main()))
