"""What giving positions costs: by the size of the log, and beside a transaction that stays open.

    python -m benchmarks.numbering --events 5000000

The events are numbered by the relay's own statement. A transaction that was begun before them
keeps PostgreSQL from removing what was moved from the outbox, as a report, a backup or a forgotten
session does.
"""

import argparse
import asyncio
import os
import time
from typing import Any

import django
import psycopg

from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

_FILL = """
INSERT INTO events_event (position, id, type, customer_id, at)
SELECT %(position)s + n, uuidv7(), 1, n %% 1000 + 1, now() FROM generate_series(1, %(count)s) AS n
"""
_WRITE = """
INSERT INTO events_outbox (id, customer_id)
SELECT uuidv7(), n FROM generate_series(1, %(count)s) AS n
"""
BATCH = 64
POLLS = 50
# What else is under way, begun before the events.
TRANSACTIONS = {
    "none": "",
    "a reader": "SELECT count(*) FROM events_outbox",
    "a writer": "SELECT txid_current()",
}


async def _measure(events: int, transaction: str) -> list[Any]:
    """Write and number events; return a row: the rate, and how long a look at nothing takes."""
    from events.numbering import CONNECTION_OPTIONS, Numbering
    from events.relay import VACUUM
    from events.selectors import latest_position
    from shop.core.database import own_connection_parameters

    parameters = own_connection_parameters()
    options = {"options": parameters["options"] + CONNECTION_OPTIONS}
    connect = psycopg.AsyncConnection.connect
    async with (
        await connect(**parameters | options, autocommit=True) as relay,
        await connect(**parameters, autocommit=True) as writer,
        await connect(**parameters) as other,
    ):
        if statement := TRANSACTIONS[transaction]:
            await other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await other.execute(statement)
        numbering = Numbering(await asyncio.to_thread(latest_position))
        spent, size, done, next_vacuum = 0.0, 0, 0, 5_000
        while done < events:
            for _ in range(8):
                await writer.execute(_WRITE, {"count": BATCH}, prepare=True)
            started = time.perf_counter()
            while moved := len(await numbering.move(relay)):
                done += moved
            if done >= next_vacuum:
                await relay.execute(VACUUM)
                next_vacuum = done + max(5_000, done // 10)
            spent += time.perf_counter() - started
        looks = []
        for _ in range(POLLS):
            started = time.perf_counter()
            await numbering.move(relay)
            looks.append((time.perf_counter() - started) * 1000)
        cursor = await writer.execute("SELECT pg_relation_size('events_outbox')")
        (size,) = await cursor.fetchone() or (0,)
        await other.rollback()
    return [transaction, done, f"{done / spent:.0f}", spread(looks), f"{size / 1e6:.1f}"]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numbering", description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000, help="in the log beforehand")
    parser.add_argument("--numbered", type=int, default=200_000)
    options = parser.parse_args()
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from events.selectors import latest_position
    from shop.core.database import no_statement_timeout

    call_command("migrate", verbosity=0)
    rows = []
    for events in (0, options.events):
        with no_statement_timeout(), connection.cursor() as cursor:
            cursor.execute(_FILL, {"position": latest_position(), "count": events})
            cursor.execute("VACUUM ANALYZE events_event")
        for transaction in TRANSACTIONS:
            measured = asyncio.run(_measure(options.numbered, transaction))
            rows.append([f"{events:,}".replace(",", " "), *measured])
            with no_statement_timeout(), connection.cursor() as cursor:
                cursor.execute("VACUUM events_outbox")
    head = ["events in the log", "transaction", "numbered", "events/s", "a look at nothing, ms",
            "outbox, MB"]  # fmt: skip
    print("\n".join(table(head, rows)))


if __name__ == "__main__":
    main()
