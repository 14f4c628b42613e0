"""Which server for what: pages, REST, purchases and sockets under each that could serve them.

    python -m shop.local.embedded --durable python -m benchmarks.servers

Each is one process, and they run in turns. Needs wrk. Daphne has no lifespan, so the first
connection starts its application.
"""

import argparse
import asyncio
import os
import tempfile
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

from benchmarks.feed import _accounts, _measure, _post, _relay
from benchmarks.single_buy import OURS, SCRIPT, SOCKETS, _buys, _customers, _serving, _wrk
from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

_UVICORN = (
    " --host 127.0.0.1 --port {port} --loop uvloop --no-access-log --log-level error"
    " --ws websockets-sansio --ws-per-message-deflate false"
)
_GRANIAN = " --host 127.0.0.1 --port {port} --log-level error --no-ws --workers 1"
SERVERS = {
    "uvicorn, our HTTP protocol": OURS + SOCKETS,
    "uvicorn, httptools": "-m uvicorn shop.asgi:application --http httptools" + _UVICORN,
    "granian, ASGI": "-m granian --interface asgi shop.asgi:application --loop uvloop"
    + _GRANIAN.replace(" --no-ws", ""),
    "Daphne": "-m daphne -b 127.0.0.1 -p {port} --no-server-name -v 0"
    " benchmarks.servers:started_by_first_connection",
    "uvicorn, Django's own ASGI handler": "-m uvicorn benchmarks.servers:django_asgi"
    " --http httptools" + _UVICORN,
    "granian, WSGI, 8 threads": "-m granian --interface wsgi shop.wsgi:application"
    " --blocking-threads 8" + _GRANIAN,
}
EVERYTHING = ("uvicorn, our HTTP protocol", "uvicorn, httptools", "granian, ASGI", "Daphne")

GET = """
local tokens = {{}}
for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end
local number = 0
function request()
  number = number + 1
  return wrk.format("GET", "{path}",
    {{["Authorization"] = "Token " .. tokens[number % #tokens + 1]}})
end
function done(summary, latency)
  io.write(string.format("RATE %f P99 %f ERRORS %d\\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""

_running: Any = None


async def started_by_first_connection(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection. The first one starts what a lifespan would have started."""
    global _running
    from shop.asgi import application

    if _running is None:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        messages.put_nowait({"type": "lifespan.startup"})

        async def ignore(message: Any) -> None:
            return None

        _running = asyncio.create_task(application({"type": "lifespan"}, messages.get, ignore))
        await asyncio.sleep(0)
    await application(scope, receive, send)


def __getattr__(name: str) -> Any:
    if name != "django_asgi":
        raise AttributeError(name)
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def _purchases(first: int, customers: int) -> None:
    """Give every customer a page of purchases."""
    from accounts.access import Caller
    from accounts.models import User
    from purchases.entries import Entry
    from purchases.services import record_purchases
    from purchases.validation import PurchaseInput

    now = datetime.now(UTC)
    for user in User.objects.filter(pk__gt=first, pk__lte=first + customers):
        caller = Caller.of(user)
        record_purchases(
            [
                Entry(
                    caller,
                    PurchaseInput(str(uuid.uuid4()), 1, Decimal(1), "EUR", now, None, None),
                )
                for _ in range(50)
            ]
        )


def _sockets(command: str, seconds: float) -> tuple[float, float]:
    """Return microseconds a delivered event and the p99 in ms, at 300 sockets."""
    import threading
    import time

    staff, customers = _accounts(5)
    sockets = [
        {"headers": {"Authorization": f"Token {staff}"}, "query": "?scope=all", "whole": True}
    ] * 300
    with _serving(command) as port, _relay():
        time.sleep(2)
        stop = threading.Event()

        def load() -> None:
            _post(port, customers, 20, stop)
            time.sleep(seconds - 1)
            stop.set()

        seen = _measure(port, "/ws/purchases/", sockets, seconds, load)
    return seen["processor"] / max(seen["events"], 1) * 1e6, seen["p99"]


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args(arguments)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in SERVERS}

    def note(name: str, what: str, value: float) -> None:
        figures[name].setdefault(what, []).append(value)

    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        first = _customers(folder)
        tokens = folder / "tokens"
        _purchases(first, 50)
        few = "\n".join(tokens.read_text().splitlines()[:50]) + "\n"
        (folder / "few").write_text(few)
        buy = folder / "buy.lua"
        buy.write_text(SCRIPT.format(tokens=tokens))
        page, rest = folder / "page.lua", folder / "list.lua"
        page.write_text(GET.format(tokens=folder / "few", path="/accounts/login/"))
        rest.write_text(GET.format(tokens=folder / "few", path="/api/v1/purchases/"))
        for _ in range(options.rounds):
            for name, command in SERVERS.items():
                with _serving(command) as port:
                    _wrk(port, page, 8, 1)
                    note(name, "page", _wrk(port, page, 16, options.seconds)[0])
                    note(name, "list", _wrk(port, rest, 16, options.seconds)[0])
                    if name in EVERYTHING:
                        _buys(port, buy, 16, 1)
                        for connections in (1, 64):
                            rate = _buys(port, buy, connections, options.seconds)[0]
                            note(name, f"buys, {connections}", rate)
                if name in EVERYTHING:
                    cost, p99 = _sockets(command, 6)
                    note(name, "µs", cost)
                    note(name, "p99", p99)
    columns = ["page", "list", "buys, 1", "buys, 64", "µs", "p99"]
    return table(
        [
            "server", "sign-in page/s", "list of 50/s", "buys/s, 1 connection", "buys/s, 64",
            "µs a delivered event", "feed p99 ms",
        ],
        [
            [
                name,
                *(
                    spread(figures[name][what], 1 if what == "µs" else 0)
                    if what in figures[name]
                    else "–"
                    for what in columns
                ),
            ]
            for name in SERVERS
        ],
    )  # fmt: skip


if __name__ == "__main__":
    print("\n".join(main()))
