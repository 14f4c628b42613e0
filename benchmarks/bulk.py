"""Many purchases at once: a bulk request's work, and an import's, against COPY of the same rows.

    python -m shop.local.embedded --durable python -m benchmarks.bulk

Bulk reads NDJSON, validates, deduplicates and writes purchases and events in one transaction, as
``POST /api/v1/purchases/bulk/`` does. The import does so with CSV and a transaction for each chunk,
as ``manage.py import_purchases`` does. Each has a process of its own that reads a file and does
nothing else. The reference gets the finished rows, keys and ids included. It copies them into the
same two tables, with their indexes and foreign keys, in one transaction. Runs alternate; the ratio
is that of neighbouring runs.
"""

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import django

from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
KINDS = ("bulk", "import")
CUSTOMERS = 500
START = datetime(2024, 5, 1, tzinfo=UTC)


def _purchases(lines: int) -> Iterator[dict[str, Any]]:
    """Yield distinct purchases of 500 customers, as a client program sends them."""
    run = uuid.uuid4().hex[:8]
    for number in range(lines):
        yield {
            "item": f"item {run} {number}",
            "quantity": number % 5 + 1,
            "price": f"{number % 9000 / 100:.2f}",
            "userid": f"bulk{number % CUSTOMERS}",
            "username": f"bulk{number % CUSTOMERS}",
            "timestamp": (START + timedelta(seconds=number)).isoformat(),
        }


def _write(kind: str, lines: int, path: Path) -> None:
    with path.open("w", newline="") as file:
        if kind == "bulk":
            file.writelines(json.dumps(purchase) + "\n" for purchase in _purchases(lines))
            return
        (first,) = _purchases(1)
        writer = csv.DictWriter(file, first.keys())
        writer.writeheader()
        writer.writerows(_purchases(lines))


def _record(kind: str, path: Path) -> int:
    """Record the purchases of the file. Return how many were new."""
    from accounts.access import Caller
    from accounts.models import User
    from purchases.bulk import Upload, record_lines
    from purchases.importing import ImportOptions, import_purchases
    from purchases.lines import ndjson_lines

    if kind == "import":
        columns = {name: name for name in next(_purchases(1))}
        options = ImportOptions(columns=columns, date_format=None, zone=ZoneInfo("UTC"))
        return import_purchases(path, options, lambda result, share: None).recorded
    till, _ = User.objects.get_or_create(username="bulk-till", userid="bulk-till", is_client=True)
    with path.open("rb") as file:
        return record_lines(ndjson_lines(file), Upload(caller=Caller.of(till))).recorded


def child(kind: str, path: Path) -> None:
    """Record a small file to warm up, then this one. Print the result as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        _write(kind, 2000, small)
        _record(kind, small)
    started = time.perf_counter()
    recorded = _record(kind, path)
    seconds = time.perf_counter() - started
    # getrusage would report the parent's peak if that was higher.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps({"recorded": recorded, "seconds": seconds, "peak": int(peak) / 1024}))


def ours(kind: str, lines: int) -> tuple[float, float]:
    """Record so many purchases. Return lines a second, and the peak of memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "purchases"
        _write(kind, lines, path)
        command = [sys.executable, "-m", "benchmarks.bulk", "--child", kind, str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    if found["recorded"] != lines:
        raise SystemExit(f"{kind}: {found['recorded']} of {lines} lines were recorded.")
    return lines / found["seconds"], found["peak"]


def copy(lines: int) -> float:
    """Copy as many rows into both tables. Return rows a second."""
    from django.db import connection, transaction

    from accounts.models import User
    from shop.core.database import no_statement_timeout

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
    with no_statement_timeout(), transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy(
            "COPY purchases_purchase (id, item, quantity, price, currency, timestamp,"
            " received_at, dedupe_key, fingerprint, customer_id, recorded_by_id) FROM STDIN"
        ) as target:
            target.write(rows)
        with cursor.copy("COPY events_outbox (id, customer_id) FROM STDIN") as target:
            target.write(events)
    return lines / (time.perf_counter() - started)


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    django.setup()
    if options.child:
        kind, file = options.child
        child(kind, Path(file))
        return []
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    rows = []
    for lines in options.lines:
        runs: list[tuple[dict[str, tuple[float, float]], float]] = []
        for _ in range(options.rounds):
            found = {kind: ours(kind, lines) for kind in KINDS}
            runs.append((found, copy(lines)))
            connection.close()
        for kind in KINDS:
            rows.append(
                [
                    kind,
                    lines,
                    spread([found[kind][0] for found, _ in runs], 0),
                    spread([copied for _, copied in runs], 0),
                    spread([found[kind][0] / copied for found, copied in runs]),
                    f"{statistics.median(found[kind][1] for found, _ in runs):.0f}",
                ]
            )
    head = ["", "lines", "ours, lines/s", "COPY, rows/s", "ours / COPY", "peak MB"]
    return table(head, rows)


if __name__ == "__main__":
    print("\n".join(main()))
