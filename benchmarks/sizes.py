"""What grows with what: bytes of a purchase, of an event and of a socket, and the relay's pace.

    python -m shop.local.embedded --durable python -m benchmarks.sizes --purchases 200000

The ledger must be empty. Purchases are written by ``record_purchases`` in batches of the sizes that
concurrent requests form, and numbered by a real relay afterwards. WAL is the server's own count, so
it holds the page images after checkpoints too. These are the figures that docs/scaling.md reckons
with; they depend on the schema, hardly on the machine (apart from the pace of the relay).
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import django
import psutil

from benchmarks.single_buy import OURS, _serving
from benchmarks.single_buy import SOCKETS as SOCKET_OPTIONS
from benchmarks.tables import table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
CUSTOMERS = 500
SOCKETS = 1000
COMMANDS = {
    "relay": "manage.py relay",
    "worker (2 children)": "-m celery -A shop worker --loglevel error --concurrency 2",
    "beat": "-m celery -A shop beat --loglevel error --schedule {folder}/schedule --pidfile=",
}


def _scalar(question: str, *parameters: Any) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(question, parameters)
        row = cursor.fetchone()
    return row and row[0]


def _wal() -> int:
    return int(_scalar("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def _write(customers: list[Any], first: int, count: int, batch: int) -> float:
    """Record purchases in transactions of ``batch``. Return the bytes of WAL for each."""
    from accounts.access import Caller
    from purchases.entries import Entry
    from purchases.services import record_purchases
    from purchases.validation import PurchaseInput

    callers = [Caller.of(user) for user in customers]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    before = _wal()
    for begin in range(first, first + count, batch):
        record_purchases(
            [
                Entry(
                    callers[number * 7919 % CUSTOMERS],
                    PurchaseInput(
                        item=f"item {number % 150}",
                        quantity=number % 5 + 1,
                        price=Decimal(number * 104729 % 1_000_000) / 100,
                        currency="EUR",
                        timestamp=start + timedelta(milliseconds=number * 250),
                        userid=None,
                        username=None,
                    ),
                )
                for number in range(begin, min(begin + batch, first + count))
            ]
        )
    return (_wal() - before) / count


@contextmanager
def _running(command: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, *command.split()])
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _memory(process: psutil.Process) -> float:
    """Return the MB of the process and its children, with shared pages divided among them."""
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().pss for one in family) / 1e6


def _ours(port: int) -> psutil.Process:
    return next(
        one for one in psutil.Process().children() if f"--port {port}" in " ".join(one.cmdline())
    )


def _bytes_written(purchases: int) -> list[list[Any]]:
    from accounts.models import User

    customers = User.objects.bulk_create(
        User(username=f"sizes{number}", userid=f"z{number}") for number in range(CUSTOMERS)
    )
    rows: list[list[Any]] = []
    # The first rows let the trees grow, so they do not count.
    _write(customers, 0, 20_000, 500)
    done = 20_000
    for batch, share in ((1, 0.02), (16, 0.08), (64, 0.2), (500, 0.6)):
        count = int(purchases * share)
        bytes_each = _write(customers, done, count, batch)
        done += count
        rows.append(
            [f"WAL of a purchase and its event, {batch} in a transaction", f"{bytes_each:.0f} B"]
        )
    before, started = _wal(), 0.0
    waiting = _scalar("SELECT count(*) FROM events_outbox")
    with _running(COMMANDS["relay"]):
        while left := _scalar("SELECT count(*) FROM events_outbox"):
            if left < waiting and not started:
                waiting, started = left, time.monotonic()
                before = _wal()
            time.sleep(0.2)
        seconds = time.monotonic() - started
    rows.append(["WAL of numbering an event", f"{(_wal() - before) / waiting:.0f} B"])
    rows.append(
        ["events that one relay numbers and announces in a second", f"{waiting / seconds:.0f}"]
    )
    return rows


def _bytes_kept() -> list[list[Any]]:
    from django.db import connection

    count = _scalar("SELECT count(*) FROM purchases_purchase")
    rows = []
    for state in ("after numbering, before a vacuum", "after VACUUM FULL"):
        if state == "after VACUUM FULL":
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute("VACUUM FULL purchases_purchase")
                cursor.execute("VACUUM FULL events_event")
        for name, model in (("purchase", "purchases_purchase"), ("event", "events_event")):
            heap = _scalar(f"SELECT pg_table_size('{model}')") / count
            indexes = _scalar(f"SELECT pg_indexes_size('{model}')") / count
            rows.append([f"{name}, {state}", f"{heap:.0f} B + {indexes:.0f} B of indexes"])
    return rows


def _bytes_sent() -> list[list[Any]]:
    from channels_redis.serializers import registry

    from events.channel import Announcement
    from events.reader import frame
    from events.representation import encode
    from events.selectors import events_after

    found = events_after(0, audience=None, limit=500)
    encoded = [encode(event) for event in found]
    events = [event.text for event in encoded]
    announcement: Announcement = {
        "type": "events",
        "previous": 0,
        "position": 500,
        "events": encoded,
    }
    packed = registry.get_serializer("msgpack").serialize(announcement)
    return [
        ["frame of one event", f"{len(frame(events[:1], 1).data)} B"],
        ["event in a frame of 20", f"{len(frame(events[:20], 20).data) / 20:.0f} B"],
        ["event in an announcement of 500 through Valkey", f"{len(packed) / 500:.0f} B"],
        ["hearing an event that no socket waits for", f"{asyncio.run(_hearing(packed)):.2f} µs"],
    ]


async def _hearing(packed: bytes) -> float:
    """Return the processor time for each event of a hub without sockets, in microseconds."""
    from channels_redis.serializers import registry

    from events.hub import Hub

    serializer, hub, rounds = registry.get_serializer("msgpack"), Hub(), 200
    hub._started.set()
    started = time.process_time()
    for _ in range(rounds):
        hub.position = 0
        await hub._hear(serializer.deserialize(packed))
    return (time.process_time() - started) / rounds / 500 * 1e6


def _memory_used() -> list[list[Any]]:
    from accounts.models import Token, User

    rows = []
    tokens = [Token.objects.create(user)[1] for user in User.objects.all()[:SOCKETS]]
    headers = [
        json.dumps(
            {"headers": {"Authorization": f"Token {tokens[number % len(tokens)]}"}, "whole": False}
        )
        for number in range(SOCKETS)
    ]
    for name, command in COMMANDS.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            _running(command.format(folder=folder)) as process,
        ):
            time.sleep(8)
            rows.append([f"{name}, idle", f"{_memory(process):.0f} MB"])
    with _serving(OURS) as port:
        rows.append(["web, idle", f"{_memory(_ours(port)):.0f} MB"])
    sockets = OURS + SOCKET_OPTIONS
    with _serving(sockets) as port, _running(COMMANDS["relay"]):
        process = _ours(port)
        before = _memory(process)
        rows.append(["live, idle", f"{before:.0f} MB"])
        client = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.feed_client", str(port), "/ws/purchases/", "20"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert client.stdin
        assert client.stdout
        client.stdin.write("\n".join(headers) + "\n")
        client.stdin.close()
        client.stdout.readline()
        time.sleep(3)
        used = _memory(process) - before
        busy = process.cpu_times()
        time.sleep(10)
        spent = process.cpu_times()
        seconds = spent.user + spent.system - busy.user - busy.system
        client.wait()
        rows.append(["an idle socket", f"{used * 1000 / SOCKETS:.0f} kB"])
        rows.append([f"processor for {SOCKETS} idle sockets", f"{seconds * 10:.1f} % of a core"])
    return rows


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--purchases", type=int, default=200_000)
    options = parser.parse_args()
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if _scalar("SELECT EXISTS (SELECT FROM purchases_purchase)"):
        raise SystemExit("The ledger is not empty.")
    rows = [
        row
        for measure in (
            lambda: _bytes_written(options.purchases),
            _bytes_kept,
            _bytes_sent,
            _memory_used,
        )
        for row in measure()
    ]
    print("\n".join(table(["what", "figure"], rows)))


if __name__ == "__main__":
    main()
