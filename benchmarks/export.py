"""Exports of a small and a large ledger: rows a second beside COPY, and the server's memory.

    python -m shop.local.embedded --durable python -m benchmarks.export --purchases 1000000

A member of staff downloads the whole ledger, as CSV and as JSON lines, from a server that has
answered requests before. COPY writes the same columns in the same order, and formats nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

import psutil

from benchmarks.lists import _make
from benchmarks.single_buy import OURS, _serving
from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
KINDS = ("csv", "jsonl")
PIECE = 1 << 16
_COPY = """
COPY (
    SELECT purchase.id, customer.username, customer.userid, item, quantity, price, currency,
           price * quantity, "timestamp", received_at
    FROM purchases_purchase AS purchase JOIN accounts_user AS customer
      ON customer.id = purchase.customer_id
    ORDER BY "timestamp" DESC, purchase.id DESC
) TO STDOUT (FORMAT csv)
"""


class _Peak:
    """The peak of a process's memory during the block, in MB, beside its memory before."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._stop = threading.Event()
        self.before = self.most = process.memory_info().rss / 1e6

    def __enter__(self) -> "_Peak":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss / 1e6)


def child(rounds: int) -> list[dict[str, Any]]:
    """Export the whole ledger of DATABASE_URL. Return a dictionary for each kind and round."""
    import django

    django.setup()
    from django.db import connection

    from accounts.models import Token, User
    from purchases.models import Purchase
    from shop.core.database import no_statement_timeout

    staff, _ = User.objects.get_or_create(
        username="bench-staff", userid="bench-staff", defaults={"is_staff": True}
    )
    token = Token.objects.create(staff)[1]
    rows = Purchase.objects.count()
    found = []
    with _serving(OURS) as port:
        (server,) = [
            process
            for process in psutil.Process().children(recursive=True)
            if str(port) in process.cmdline()
        ]

        def get(path: str) -> int:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v1/purchases/{path}",
                headers={"Authorization": f"Token {token}"},
            )
            lines = 0
            with urllib.request.urlopen(request) as answer:
                while piece := answer.read(PIECE):
                    lines += piece.count(b"\n")
            return lines

        for kind in KINDS:
            get(f"export.{kind}?until=2015-01-02")
        for _ in range(rounds):
            with no_statement_timeout(), connection.cursor() as cursor:
                started = time.perf_counter()
                with cursor.copy(_COPY) as source:
                    for _ in source:
                        pass
                raw = rows / (time.perf_counter() - started)
            for kind in KINDS:
                started = time.perf_counter()
                with _Peak(server) as peak:
                    lines = get(f"export.{kind}")
                seconds = time.perf_counter() - started
                if lines != rows + (kind == "csv"):
                    raise SystemExit(f"{lines} lines of {rows} purchases came.")
                found.append(
                    {"kind": kind, "rate": rows / seconds, "raw": raw,
                     "before": peak.before, "most": peak.most}
                )  # fmt: skip
    return found


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--purchases", type=int, default=1_000_000, help="of the large ledger")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        return [json.dumps(child(options.rounds))]
    url = os.environ["DATABASE_URL"]
    rows = []
    for purchases in (10_000, options.purchases):
        own = _make(url, purchases, max(100, purchases // 100))
        output = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.export", "--child"),
                *("--rounds", str(options.rounds)),
            ],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"DATABASE_URL": own, "LOG_LEVEL": "ERROR"},
        ).stdout
        found = json.loads(output.splitlines()[-1])
        for kind in KINDS:
            runs = [run for run in found if run["kind"] == kind]
            rows.append(
                [
                    purchases,
                    kind,
                    spread([run["rate"] for run in runs], 0),
                    spread([run["raw"] for run in runs], 0),
                    spread([run["rate"] / run["raw"] for run in runs]),
                    spread([run["before"] for run in runs], 0),
                    spread([run["most"] for run in runs], 0),
                ]
            )
    return table(
        [
            "purchases", "as", "ours, rows/s", "COPY, rows/s", "ours / COPY",
            "server before, MB", "at most, MB",
        ],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    print("\n".join(main()))
