"""Lists and events on a large ledger against the same on a small one, and against raw SQL.

    python -m shop.local.embedded --durable python -m benchmarks.lists --purchases 10000000

There are two databases side by side (see ``benchmarks.generate``): a small one of 10 000 purchases
of 100 customers, and a large one of 100 000 customers. Both get the same questions in turns,
through the whole of Django, as an API request does. Each figure is the median of many requests,
each ratio that of one round. If the small ledger has fewer rows than a page, a page is as long as
that, so that both answers have one size. The plans are those of the large database.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlencode

from benchmarks.tables import spread, table

REPEAT = 60
HEAVY, LIGHT = "customer1", "customer77"
PURCHASES = "/api/v1/purchases/"
EVENTS = "/api/v1/events/"
_LEDGER = re.compile(r"\b(purchases|events)_")
_SCAN = re.compile(r"Seq Scan on (purchases|events)_")

# name: (caller, path, query). The child knows the ledger, so it fills in "+last" and its like.
QUERIES: dict[str, tuple[str, str, dict[str, str]]] = {
    "everyone, first page": ("staff", PURCHASES, {}),
    "everyone, page in the middle": ("staff", PURCHASES, {"cursor": "middle"}),
    "everyone, last page": ("staff", PURCHASES, {"cursor": "last"}),
    "heavy customer, first page": (HEAVY, PURCHASES, {}),
    "heavy customer, last page": (HEAVY, PURCHASES, {"cursor": "last"}),
    "customer, first page": (LIGHT, PURCHASES, {}),
    "since": ("staff", PURCHASES, {"since": "2020-05-01"}),
    "since, last page": ("staff", PURCHASES, {"since": "2020-05-01", "cursor": "last"}),
    "until": ("staff", PURCHASES, {"until": "2018-02-03"}),
    "until, last page": ("staff", PURCHASES, {"until": "2018-02-03", "cursor": "last"}),
    "since and until, last page": (
        "staff", PURCHASES, {"since": "2018-01-01", "until": "2018-12-31", "cursor": "last"},
    ),
    "min_price, half of all": ("staff", PURCHASES, {"min_price": "5000"}),
    "min_price, half of all, last page": (
        "staff", PURCHASES, {"min_price": "5000", "cursor": "last"},
    ),
    "max_price, half of all": ("staff", PURCHASES, {"max_price": "5000"}),
    "max_price, half of all, last page": (
        "staff", PURCHASES, {"max_price": "5000", "cursor": "last"},
    ),
    "min_price, one of 100": ("staff", PURCHASES, {"min_price": "9900"}),
    "min_price, one of 500": ("staff", PURCHASES, {"min_price": "9980", "page_size": "20"}),
    "min_price, one of 5 000": ("staff", PURCHASES, {"min_price": "9998", "page_size": "2"}),
    "min_price, none": ("staff", PURCHASES, {"min_price": "10000"}),
    "item": ("staff", PURCHASES, {"item": "item 77"}),
    "item, last page": ("staff", PURCHASES, {"item": "item 77", "cursor": "last"}),
    "item, none": ("staff", PURCHASES, {"item": "nothing"}),
    "username": ("staff", PURCHASES, {"username": HEAVY}),
    "username, last page": ("staff", PURCHASES, {"username": HEAVY, "cursor": "last"}),
    "username and item": (
        "staff", PURCHASES, {"username": HEAVY, "item": "item 77", "page_size": "1"},
    ),
    "heavy customer, since": (HEAVY, PURCHASES, {"since": "2020-05-01"}),
    "heavy customer, since, last page": (
        HEAVY, PURCHASES, {"since": "2020-05-01", "cursor": "last"},
    ),
    "heavy customer, until": (HEAVY, PURCHASES, {"until": "2018-02-03"}),
    "heavy customer, min_price, half": (HEAVY, PURCHASES, {"min_price": "5000"}),
    "heavy customer, min_price, half, last page": (
        HEAVY, PURCHASES, {"min_price": "5000", "cursor": "last"},
    ),
    "heavy customer, max_price, half": (HEAVY, PURCHASES, {"max_price": "5000"}),
    "heavy customer, min_price, one of 20": (
        HEAVY, PURCHASES, {"min_price": "9500", "page_size": "5"},
    ),
    "heavy customer, min_price, one of 100": (
        HEAVY, PURCHASES, {"min_price": "9900", "page_size": "1"},
    ),
    # The prices of a heavy customer of `benchmarks.generate` are multiples of ten cents.
    "heavy customer, prices that only others pay": (
        HEAVY, PURCHASES, {"min_price": "5000.01", "max_price": "5000.09"},
    ),
    "heavy customer, min_price, none": (HEAVY, PURCHASES, {"min_price": "10000"}),
    "heavy customer, item": (HEAVY, PURCHASES, {"item": "item 77", "page_size": "1"}),
    "heavy customer, item, last page": (
        HEAVY, PURCHASES, {"item": "item 77", "page_size": "1", "cursor": "last"},
    ),
    "events of everyone, from the first": ("staff", EVENTS, {"after": "0", "limit": "50"}),
    "events of everyone, the last": ("staff", EVENTS, {"after": "end", "limit": "50"}),
    "events of a customer, from the first": (HEAVY, EVENTS, {"after": "0", "limit": "50"}),
    "events of a customer, none new": (LIGHT, EVENTS, {"after": "all", "limit": "50"}),
}  # fmt: skip


def child() -> None:
    """Ask DATABASE_URL the questions on standard input, a line each, and print their times."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    import django

    django.setup()
    from django.db import connection
    from django.test import Client

    from accounts.models import Token, User
    from events.selectors import latest_position
    from purchases.models import Purchase
    from shop.core.pagination import encode_place

    staff, _ = User.objects.get_or_create(
        username="bench-staff", userid="bench-staff", defaults={"is_staff": True}
    )
    tokens = {
        name: Token.objects.create(user)[1]
        for name, user in [
            ("staff", staff),
            *((name, User.objects.get(username=name)) for name in (HEAVY, LIGHT)),
        ]
    }
    middle = Purchase.objects.filter(timestamp__gte="2020-01-01T00:00:00Z").order_by("timestamp")[0]
    end = latest_position()
    client = Client(SERVER_NAME="localhost")
    for line in sys.stdin:
        name = line.strip()
        who, path, given = QUERIES[name]
        query = dict(given)
        if query.get("cursor") == "middle":
            query["cursor"] = encode_place("n", (middle.timestamp, middle.pk))
        query["after"] = {"end": str(end - 50), "all": str(end)}.get(
            query.get("after", ""), query.get("after", "")
        )
        if not query["after"]:
            del query["after"]
        url = f"{path}?{urlencode(query)}" if query else path
        headers = {"authorization": f"Token {tokens[who]}"}
        statements: list[tuple[str, Any]] = []

        def note(
            execute: Any, sql: str, params: Any, many: bool, context: Any, s: Any = statements
        ) -> Any:
            s.append((sql, params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            answer = client.get(url, headers=headers)
        if answer.status_code != 200:
            raise SystemExit(f"{name}: {answer.status_code} {answer.content[:300]!r}")
        ledger = [pair for pair in statements if _LEDGER.search(pair[0])]
        ours, raw = [], []
        for _ in range(REPEAT):
            started = time.perf_counter()
            client.get(url, headers=headers)
            ours.append(time.perf_counter() - started)
            with connection.cursor() as cursor:
                started = time.perf_counter()
                for sql, params in ledger:
                    cursor.execute(sql, params)
                    cursor.fetchall()
                raw.append(time.perf_counter() - started)
        plans = []
        with connection.cursor() as cursor:
            for sql, params in ledger:
                cursor.execute(
                    f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}", params
                )
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
        result = {
            "ms": statistics.median(ours) * 1000,
            "raw": statistics.median(raw) * 1000,
            "counts": any("count(" in sql.lower() for sql, _ in ledger),
            "plans": plans,
        }
        print(json.dumps(result), flush=True)


class Asked:
    """A process that asks one database, see ``child``."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.lists", "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
        )

    def __call__(self, name: str) -> dict[str, Any]:
        """Return the median milliseconds of one question, through Django and raw, and its plans."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def _make(url: str, purchases: int, customers: int) -> str:
    """Make and fill a database beside that of ``url``. Return its URL."""
    import psycopg

    name = f"ledger_{purchases}"
    own = url.replace("/shop?", f"/{name}?", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone():
            return own
        connection.execute(f"CREATE DATABASE {name}")
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.generate"),
            *("--purchases", str(purchases), "--customers", str(customers)),
        ],
        check=True,
        stdout=sys.stderr,
        env=os.environ | {"DATABASE_URL": own},
    )
    return own


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table, and the plans below it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--purchases", type=int, default=1_000_000, help="of the large ledger")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--plans", action="store_true", help="print the plans too")
    options = parser.parse_args(arguments)
    if options.child:
        child()
        return []
    url = os.environ["DATABASE_URL"]
    small = _make(url, 10_000, 100)
    large = _make(url, options.purchases, max(100, options.purchases // 100))
    few, many = Asked(small), Asked(large)
    rounds: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {name: [] for name in QUERIES}
    for _ in range(options.rounds):
        for name, pairs in rounds.items():
            pairs.append((few(name), many(name)))
    few.end()
    many.end()
    rows = [
        [
            name,
            spread([a["ms"] for a, _ in pairs]),
            spread([b["ms"] for _, b in pairs]),
            spread([b["ms"] / a["ms"] for a, b in pairs]),
            spread([b["ms"] / b["raw"] for _, b in pairs], 1),
        ]
        for name, pairs in rounds.items()
    ]
    lines = table(
        ["what", "10 000, ms", f"{options.purchases}, ms", "large / small", "ours / raw SQL"], rows
    )
    last = {name: pairs[-1][1] for name, pairs in rounds.items()}
    scans = [
        name
        for name, one in last.items()
        if one["counts"] or any(_SCAN.search(plan) for plan in one["plans"])
    ]
    lines += ["", f"Sequential scans of the ledger, or counts: {', '.join(scans) or 'none'}."]
    if options.plans:
        for name, one in last.items():
            for plan in one["plans"]:
                lines += ["", f"{name}:", "", "```", plan, "```"]
    return lines


if __name__ == "__main__":
    print("\n".join(main()))
