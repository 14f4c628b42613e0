"""Many purchases at once: a bulk request's work against COPY of the same rows.

    python -m shop.embedded --durable python -m benchmarks.bulk

Ours reads NDJSON, validates, deduplicates and writes purchases and events in one transaction, as
`POST /api/v1/purchases/bulk/` does. The reference gets the finished rows, keys and ids included,
and copies them into the same two tables with their indexes and foreign keys, in one transaction.
Runs alternate; the ratio is that of neighbouring runs.
"""

import argparse
import io
import json
import os
import resource
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO

import django

from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
CUSTOMERS = 500
START = datetime(2024, 5, 1, tzinfo=UTC)


def ndjson(lines: int) -> IO[bytes]:
    """Return a file of distinct purchases of 500 customers, as a client program sends them."""
    run = uuid.uuid4().hex[:8]
    output = io.BytesIO()
    for number in range(lines):
        line = {
            "item": f"item {run} {number}",
            "quantity": number % 5 + 1,
            "price": f"{number % 9000 / 100:.2f}",
            "userid": f"bulk{number % CUSTOMERS}",
            "username": f"bulk{number % CUSTOMERS}",
            "timestamp": (START + timedelta(seconds=number)).isoformat(),
        }
        output.write(json.dumps(line).encode() + b"\n")
    output.seek(0)
    return output


def ours(lines: int) -> float:
    """Record the lines; return lines a second."""
    from accounts.access import Caller
    from accounts.models import User
    from purchases.bulk import ndjson_lines, record_lines

    till, _ = User.objects.get_or_create(username="bulk-till", userid="bulk-till", is_client=True)
    file = ndjson(lines)
    started = time.perf_counter()
    result = record_lines(ndjson_lines(file), caller=Caller.of(till))
    seconds = time.perf_counter() - started
    if result.recorded != lines:
        raise SystemExit(f"{result.recorded} of {lines} lines were recorded.")
    return lines / seconds


def copy(lines: int) -> float:
    """Copy as many rows into both tables; return rows a second."""
    from django.db import connection, transaction

    from accounts.models import User

    customers = list(
        User.objects.filter(userid__startswith="bulk").values_list("pk", flat=True)[:CUSTOMERS]
    )
    run = uuid.uuid4().hex[:8]
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuidv7()::text FROM generate_series(1, %s)", [lines])
        ids = [row[0] for row in cursor.fetchall()]

    def purchases() -> Iterator[str]:
        for number, id in enumerate(ids):
            customer = customers[number % len(customers)]
            moment = START + timedelta(seconds=number)
            yield (
                f"{id}\titem {run} {number}\t{number % 5 + 1}\t{number % 9000 / 100:.2f}\tEUR\t"
                f"{moment}\t{now}\t{uuid.uuid4()}\t\\N\t{customer}\t{customer}\n"
            )

    rows = "".join(purchases())
    events = "".join(
        f"{id}\t{customers[number % len(customers)]}\n" for number, id in enumerate(ids)
    )
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy(
            "COPY purchases_purchase (id, item, quantity, price, currency, timestamp,"
            " received_at, dedupe_key, fingerprint, customer_id, recorded_by_id) FROM STDIN"
        ) as target:
            target.write(rows)
        with cursor.copy("COPY purchases_event (purchase_id, customer_id) FROM STDIN") as target:
            target.write(events)
    return lines / (time.perf_counter() - started)


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds; return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args(arguments)
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    rows = []
    for lines in options.lines:
        ours(2000)
        pairs = []
        peaks = []
        for _ in range(options.rounds):
            mine = ours(lines)
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            pairs.append((mine, copy(lines)))
        rows.append(
            [
                lines,
                spread([pair[0] for pair in pairs], 0),
                spread([pair[1] for pair in pairs], 0),
                spread([pair[0] / pair[1] for pair in pairs]),
                f"{peaks[0]:.0f}",
            ]
        )
        connection.close()
    return table(["lines", "ours, lines/s", "COPY, rows/s", "ours / COPY", "peak MB"], rows)


if __name__ == "__main__":
    print("\n".join(main()))
