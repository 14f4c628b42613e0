"""Lists and events on a large ledger against the same on a small one, and against raw SQL.

    python -m shop.embedded --durable python -m benchmarks.lists --purchases 10000000

Makes two databases beside each other (see `benchmarks.generate`), a small one of 10 000 purchases
of 100 customers and a large one of 100 000 customers, and asks both the same through the whole of
Django, as an API request does. Rounds alternate; each figure is the median of many requests, each
ratio that of one round. The plan of every statement is taken from the large database.
"""

import argparse
import json
import os
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

# name: (who asks, path, query); "+last" etc. are filled in by the child, which knows the ledger.
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
    "min_price, one of 500": ("staff", PURCHASES, {"min_price": "9980"}),
    "min_price, one of 5 000": ("staff", PURCHASES, {"min_price": "9998"}),
    "min_price, none": ("staff", PURCHASES, {"min_price": "10000"}),
    "item": ("staff", PURCHASES, {"item": "item 77"}),
    "item, last page": ("staff", PURCHASES, {"item": "item 77", "cursor": "last"}),
    "item, none": ("staff", PURCHASES, {"item": "nothing"}),
    "username": ("staff", PURCHASES, {"username": HEAVY}),
    "username, last page": ("staff", PURCHASES, {"username": HEAVY, "cursor": "last"}),
    # A page of one, because the small ledger has no more of them.
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
    "heavy customer, min_price, one of 20": (HEAVY, PURCHASES, {"min_price": "9500"}),
    "heavy customer, min_price, one of 100": (HEAVY, PURCHASES, {"min_price": "9900"}),
    "heavy customer, min_price, one of 500": (HEAVY, PURCHASES, {"min_price": "9980"}),
    # What a heavy customer of `benchmarks.generate` pays is a multiple of ten cents.
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


def child(plans: bool) -> dict[str, Any]:
    """Ask everything of DATABASE_URL; return milliseconds by query, and plans."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    import django

    django.setup()
    from django.db import connection
    from django.test import Client
    from knox.models import AuthToken

    from accounts.models import User
    from purchases.models import Purchase
    from purchases.pagination import _encode
    from purchases.selectors import latest_position

    staff, _ = User.objects.get_or_create(
        username="bench-staff", userid="bench-staff", defaults={"is_staff": True}
    )
    tokens = {
        name: AuthToken.objects.create(user)[1]
        for name, user in [
            ("staff", staff),
            *((name, User.objects.get(username=name)) for name in (HEAVY, LIGHT)),
        ]
    }
    middle = Purchase.objects.filter(timestamp__gte="2020-01-01T00:00:00Z").order_by("timestamp")[0]
    end = latest_position()
    client = Client(SERVER_NAME="localhost")
    result: dict[str, Any] = {}
    for name, (who, path, given) in QUERIES.items():
        query = dict(given)
        if query.get("cursor") == "middle":
            query["cursor"] = _encode("n", middle, "timestamp")
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
        ledger = [pair for pair in statements if "purchases_" in pair[0]]
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
        result[name] = {
            "ms": statistics.median(ours) * 1000,
            "raw": statistics.median(raw) * 1000,
            "counts": any("count(" in sql.lower() for sql, _ in ledger),
        }
        if plans:
            lines = []
            with connection.cursor() as cursor:
                for sql, params in ledger:
                    cursor.execute(
                        f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}", params
                    )
                    lines.append("\n".join(row[0] for row in cursor.fetchall()))
            result[name]["plans"] = lines
    return result


def _ask(url: str, *, plans: bool = False) -> dict[str, Any]:
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.lists", "--child", *(["--plans"] if plans else [])],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
    ).stdout
    answer: dict[str, Any] = json.loads(output)
    return answer


def _make(url: str, purchases: int, customers: int) -> str:
    """Make and fill a database beside that of ``url``; return its own url."""
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
    """Run the rounds; return the lines of a Markdown table, and the plans below it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--purchases", type=int, default=1_000_000, help="of the large ledger")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--plans", action="store_true", help="print the plans too")
    options = parser.parse_args(arguments)
    if options.child:
        return [json.dumps(child(options.plans))]
    url = os.environ["DATABASE_URL"]
    small = _make(url, 10_000, 100)
    large = _make(url, options.purchases, max(100, options.purchases // 100))
    last = _ask(large, plans=True)
    rounds = [(_ask(small), _ask(large)) for _ in range(options.rounds)]
    rows = [
        [
            name,
            spread([a[name]["ms"] for a, _ in rounds]),
            spread([b[name]["ms"] for _, b in rounds]),
            spread([b[name]["ms"] / a[name]["ms"] for a, b in rounds]),
            spread([b[name]["ms"] / b[name]["raw"] for _, b in rounds], 1),
        ]
        for name in QUERIES
    ]
    lines = table(
        ["what", "10 000, ms", f"{options.purchases}, ms", "large / small", "ours / raw SQL"], rows
    )
    scans = [
        name
        for name in QUERIES
        if last[name]["counts"]
        or any("Seq Scan on purchases" in plan for plan in last[name]["plans"])
    ]
    lines += ["", f"Sequential scans of the ledger, or counts: {', '.join(scans) or 'none'}."]
    if options.plans:
        for name in QUERIES:
            for plan in last[name]["plans"]:
                lines += ["", f"{name}:", "", "```", plan, "```"]
    return lines


if __name__ == "__main__":
    print("\n".join(main()))
