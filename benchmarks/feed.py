"""The live feed: a thousand sockets under load, and the hub against two other designs.

    python -m shop.local.embedded --durable python -m benchmarks.feed

First 1 000 sockets are open, half of them staff's with scope=all, while 200 purchases a second are
posted. The figures are missed events, and the time from a purchase's receipt to the client. Then
the processor time of one delivered event is measured at 300 sockets and 20 events a second. It is
compared in turns with a Channels consumer for each socket, and with a bare broadcast without
Channels.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import django
import psutil

from benchmarks.single_buy import OURS, SOCKETS, _serving
from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
SERVER = (
    "-m uvicorn benchmarks.feed_references:{name} --host 127.0.0.1 --port {{port}}"
    " --loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false"
    " --no-access-log --log-level error"
)
OURS_WITH_SOCKETS = OURS + SOCKETS
PATH = "/ws/purchases/"
# A close frame of the server begins with its code.
TOO_SLOW = (4408).to_bytes(2, "big")


def _accounts(customers: int) -> tuple[str, list[str]]:
    """Make a member of staff and customers. Return their tokens."""
    from accounts.models import Token, User

    name = uuid.uuid4().hex[:8]
    staff = User.objects.create(username=f"staff-{name}", userid=f"s{name}", is_staff=True)
    users = User.objects.bulk_create(
        User(username=f"feed{number}-{name}", userid=f"f{number}{name}")
        for number in range(customers)
    )
    return Token.objects.create(staff)[1], [Token.objects.create(user)[1] for user in users]


def _processor_seconds(port: int) -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if str(port) in process.cmdline() and "benchmarks.feed_client" not in process.cmdline():
            times = process.cpu_times()
            total += times.user + times.system
    return total


@contextmanager
def _relay() -> Iterator[None]:
    from django.db import connection

    process = subprocess.Popen([sys.executable, "manage.py", "relay"])
    try:
        # Events of an earlier benchmark must not count as load of the feed.
        waiting = True
        while waiting:
            time.sleep(0.5)
            with connection.cursor() as cursor:
                cursor.execute("SELECT EXISTS (SELECT FROM events_outbox)")
                waiting = bool((cursor.fetchone() or (False,))[0])
        yield
    finally:
        process.terminate()
        process.wait()


def _post(port: int, tokens: list[str], rate: float, stop: threading.Event) -> list[int]:
    """Post purchases at an even pace until told to stop. Return how many were recorded."""
    recorded = [0]

    begun = time.monotonic()

    def run(share: int, of: int) -> None:
        number = share
        while not stop.wait(max(0.0, begun + number / rate - time.monotonic())):
            body = json.dumps({"item": f"feed {uuid.uuid4()}", "price": "1.00"}).encode()
            headers = {
                "Authorization": f"Token {tokens[number % len(tokens)]}",
                "Content-Type": "application/json",
            }
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v1/purchases/", body, headers
            )
            urllib.request.urlopen(request).close()
            recorded[0] += 1
            number += of

    for share in range(8):
        threading.Thread(target=run, args=(share, 8), daemon=True).start()
    return recorded


def _measure(
    port: int, path: str, sockets: list[dict[str, Any]], seconds: float, load: Callable[[], Any]
) -> dict[str, Any]:
    """Open the sockets and run the load. Return what the client saw, and the cost."""
    client = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.feed_client"),
            *(str(port), path, str(seconds)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("".join(json.dumps(one) + "\n" for one in sockets))
    client.stdin.close()
    if client.stdout.readline() != "ready\n":
        raise SystemExit("The sockets could not be opened.")
    before = _processor_seconds(port)
    load()
    seen: dict[str, Any] = json.loads(client.stdout.readline())
    seen["processor"] = _processor_seconds(port) - before
    client.wait()
    return seen


def _large(sockets: int, rate: float, seconds: float) -> dict[str, Any]:
    staff, customers = _accounts(sockets // 2)
    ours: list[dict[str, Any]] = [
        {"headers": {"Authorization": f"Token {staff}"}, "query": "?scope=all", "whole": True}
        for _ in range(sockets // 2)
    ] + [{"headers": {"Authorization": f"Token {token}"}, "whole": False} for token in customers]
    with _serving(OURS_WITH_SOCKETS) as port, _relay():
        time.sleep(2)
        stop = threading.Event()
        recorded: list[int] = []

        def load() -> None:
            nonlocal recorded
            recorded = _post(port, customers, rate, stop)
            time.sleep(seconds - 2)
            stop.set()

        seen = _measure(port, PATH, ours, seconds, load)
    seen["recorded"] = recorded[0]
    return seen


def _event(number: int) -> str:
    """Return a frame as the feed sends it, with one event."""
    from events.reader import frame
    from events.representation import Numbered, encode

    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    purchase = {
        "id": str(uuid.uuid4()), "username": "joe", "userid": "005", "item": f"feed {uuid.uuid4()}",
        "quantity": 1, "price": "1.00", "currency": "EUR", "total": "1.00", "timestamp": moment,
        "received_at": moment,
    }  # fmt: skip
    event: Any = {
        "position": number,
        "event": "purchase.recorded",
        "at": moment,
        "purchase": purchase,
    }
    return frame([encode(Numbered(number, None, None, 1, event)).text], number).text


def _publish(kind: str, rate: float, seconds: float) -> None:
    """Publish events to the references, one after another."""
    import redis
    from channels_redis.pubsub import RedisPubSubChannelLayer
    from django.conf import settings

    from benchmarks.feed_references import CHANNEL, GROUP, LAYER

    async def channels() -> None:
        layer = RedisPubSubChannelLayer(**LAYER)
        for number in range(1, int(rate * seconds) + 1):
            await layer.group_send(GROUP, {"type": "bench.event", "text": _event(number)})
            await asyncio.sleep(1 / rate)

    if kind == "channels":
        asyncio.run(channels())
        return
    connection = redis.Redis.from_url(settings.REDIS_URL)
    for number in range(1, int(rate * seconds) + 1):
        connection.publish(CHANNEL, _event(number))
        time.sleep(1 / rate)


def _small(kind: str, sockets: int, rate: float, seconds: float) -> dict[str, Any]:
    if kind == "hub":
        staff, customers = _accounts(5)
        ours = [
            {"headers": {"Authorization": f"Token {staff}"}, "query": "?scope=all", "whole": True}
        ] * sockets
        with _serving(OURS_WITH_SOCKETS) as port, _relay():
            time.sleep(2)
            stop = threading.Event()

            def load() -> None:
                _post(port, customers, rate, stop)
                time.sleep(seconds - 1)
                stop.set()

            return _measure(port, PATH, ours, seconds, load)
    with _serving(SERVER.format(name=f"{kind}_application")) as port:
        plain: list[dict[str, Any]] = [{"headers": {}, "whole": False}] * sockets
        return _measure(port, PATH, plain, seconds + 2, lambda: _publish(kind, rate, seconds))


def _never_reading(sockets: int, events: int) -> tuple[float, float, int]:
    """Open sockets that ask for many events and read nothing. Return MB before, peak, and closes.

    The last is how many found close code 4408 behind the events, once they read.
    """
    from accounts.access import Caller
    from accounts.models import User
    from events.selectors import latest_position
    from purchases.entries import Entry
    from purchases.services import record_purchases
    from purchases.validation import PurchaseInput

    staff, _ = _accounts(1)
    after = latest_position()
    caller = Caller.of(User.objects.create(username=f"slow{uuid.uuid4().hex}", userid="slow"))
    now = datetime.now(UTC)
    for _ in range(events // 1000):
        record_purchases(
            [
                Entry(caller, PurchaseInput("x" * 200, 1, Decimal(1), "EUR", now, None, None), None)
                for now in (now + timedelta(microseconds=number) for number in range(1000))
            ]
        )
        now += timedelta(seconds=1)
    with _serving(OURS_WITH_SOCKETS) as port, _relay():
        time.sleep(4)
        (server,) = [
            process
            for process in psutil.Process().children(recursive=True)
            if "shop.asgi:application" in process.cmdline()
        ]
        before = most = server.memory_info().rss / 1e6
        opened = []
        for _ in range(sockets):
            own = socket.socket()
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            own.connect(("127.0.0.1", port))
            own.sendall(
                f"GET {PATH}?after={after}&scope=all HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
                f"Sec-WebSocket-Version: 13\r\nAuthorization: Token {staff}\r\n\r\n".encode()
            )
            opened.append(own)
        # Many replays at once take long, and after ten more seconds a reader counts as slow.
        deadline = time.monotonic() + 35
        while time.monotonic() < deadline:
            most = max(most, server.memory_info().rss / 1e6)
            time.sleep(0.2)
        with ThreadPoolExecutor(sockets) as threads:
            closed = sum(threads.map(_finds_too_slow, opened))
    return before, most, closed


def _finds_too_slow(own: socket.socket) -> bool:
    """Read what a socket was sent. Return whether it ends with close code 4408."""
    own.settimeout(10)
    tail = b""
    with contextlib.suppress(OSError), own:
        while TOO_SLOW not in tail and (part := own.recv(1 << 20)):
            tail = (tail + part)[-200:]
    return TOO_SLOW in tail


def main(arguments: list[str] | None = None) -> list[str]:
    """Run both parts. Return the lines of two Markdown tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200)
    options = parser.parse_args(arguments)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    runs = [_large(options.sockets, options.rate, options.seconds) for _ in range(options.rounds)]
    lines = table(
        ["sockets", "purchases", "events delivered", "gaps", "behind at the end", "closed",
         "p50 ms", "p99 ms", "most ms", "µs an event", "events a frame"],
        [
            [
                options.sockets, run["recorded"], run["events"], run["gaps"], run["behind"],
                run["closed"], f"{run['p50']:.0f}", f"{run['p99']:.0f}", f"{run['most']:.0f}",
                f"{run['processor'] / max(run['events'], 1) * 1e6:.1f}",
                f"{run['events'] / max(run['frames'], 1):.1f}",
            ]
            for run in runs
        ],
    )  # fmt: skip
    before, most, closed = _never_reading(100, 30_000)
    lines += [""]
    lines += table(
        ["sockets that never read", "events each wants", "server before, MB", "at most, MB",
         "closed with 4408"],
        [[100, 30_000, f"{before:.0f}", f"{most:.0f}", closed]],
    )  # fmt: skip
    costs: dict[str, list[dict[str, Any]]] = {"hub": [], "channels": [], "bare": []}
    for _ in range(options.rounds):
        for kind, seen in costs.items():
            seen.append(_small(kind, 300, 20, 8))
    cost = {
        kind: [run["processor"] / max(run["events"], 1) * 1e6 for run in seen]
        for kind, seen in costs.items()
    }
    names = {
        "hub": "ours: one hub a process (purchases and pages of the process included)",
        "channels": "one Channels consumer a socket, in a group",
        "bare": "bare broadcast, without Channels",
    }
    lines += [""]
    lines += table(
        ["300 sockets, 20 events a second", "µs a delivered event", "events a frame", "p50 ms",
         "p99 ms", "ours / this"],
        [
            [
                names[kind], spread(cost[kind], 1),
                spread([run["events"] / max(run["frames"], 1) for run in costs[kind]], 1),
                spread([run["p50"] for run in costs[kind]], 0),
                spread([run["p99"] for run in costs[kind]], 0),
                spread([a / b for a, b in zip(cost["hub"], cost[kind], strict=True)]),
            ]
            for kind in costs
        ],
    )  # fmt: skip
    return lines


if __name__ == "__main__":
    print("\n".join(main()))
