"""Statistics on a large ledger: a year by day and its like, p50 and p99, and their plans.

    python -m shop.local.embedded --durable python -m benchmarks.statistics --purchases 10000000
    python -m shop.local.embedded python -m benchmarks.statistics --golden purchases-cdnow.csv

Every request goes through the whole of Django, and finds no remembered answer, because each time
another purchase has been recorded. Beside the time it takes there is that of the processor, of this
process and of PostgreSQL's, because other programs may keep the machine busy. ``--golden`` imports
a file of real purchases instead, and compares the figures with known ones.
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

from benchmarks.lists import _make
from benchmarks.tables import table

REPEAT = 40
_YEAR = {"since": "2019", "until": "2019"}
QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    "a year by day, UTC": ("sales", _YEAR),
    "a year by day, Kathmandu": ("sales", _YEAR | {"time_zone": "Asia/Kathmandu"}),
    "a year by month, Amsterdam": (
        "sales",
        _YEAR | {"interval": "month", "time_zone": "Europe/Amsterdam"},
    ),
    "a week by hour, New York": (
        "sales",
        {"since": "2019-05-01", "until": "2019-05-07", "interval": "hour"}
        | {"time_zone": "America/New_York"},
    ),
    "a year by day, one item": ("sales", _YEAR | {"item": "item 77"}),
    "a year by day, one customer": ("sales", _YEAR | {"username": "customer1"}),
    "items of a year": ("items", _YEAR),
    "customers of a month": ("customers", {"since": "2019-05", "until": "2019-05"}),
    "hours of the week, a year": ("weekdays", _YEAR),
    "cohorts of half a year": ("cohorts", {"since": "2019-01", "until": "2019-06"}),
}
_SCAN = re.compile(r"Seq Scan on (purchases_purchase|events_event)")
# The golden figures of issue 16: purchases, revenue and customers of the file, imported as UTC.
_GOLDEN: list[tuple[dict[str, str], str, tuple[Any, ...]]] = [
    ({"since": "2017-01", "until": "2017-01"}, "UTC", (8914, "298793.76", 7844)),
    ({"since": "2017-01", "until": "2017-01"}, "America/Los_Angeles", (9073, "303498.34", None)),
    ({"since": "2016-12", "until": "2016-12"}, "America/Los_Angeles", (212, "7515.35", None)),
    ({"since": "2017-01", "until": "2018-06"}, "UTC", (69404, "2495982.75", 23544)),
]


def follow() -> int:
    """Let the roll-ups come to the end of the log; return how many batches that took."""
    from events.followers import follow as follow_once
    from insight.statistics.follower import Statistics

    follower, batches = Statistics(), 0
    while follow_once(follower) != follower.pause:
        batches += 1
    return batches


def number() -> None:
    """Give the events that wait their positions, as the relay does."""
    from django.db import connection

    from events.numbering import BATCH, MOVE_OLDEST
    from events.selectors import latest_position

    with connection.cursor() as cursor:
        while True:
            parameters: dict[str, Any] = {
                "xid": 0,
                "open": [],
                "limit": BATCH,
                "position": latest_position(),
            }
            cursor.execute(MOVE_OLDEST, parameters)
            if not cursor.fetchall():
                return


def _staff() -> Any:
    from django.test import Client

    from accounts.models import User

    user, _ = User.objects.get_or_create(username="boss", userid="boss", is_staff=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _buy(n: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """WITH bought AS (
                INSERT INTO purchases_purchase (customer_id, item, quantity, price, currency,
                    "timestamp", recorded_by_id, dedupe_key)
                SELECT id, 'item 77', 1, 1, 'EUR', timestamptz '2019-05-03 12:00+00', id,
                    gen_random_uuid() FROM accounts_user WHERE userid = %s
                RETURNING id, customer_id)
            INSERT INTO events_outbox (id, customer_id) SELECT id, customer_id FROM bought""",
            [f"g{n + 20}"],
        )
    number()


def child() -> None:
    """Ask every question often, and print the figures as JSON."""
    import django
    import psutil

    django.setup()
    from django.core.cache import cache
    from django.db import connection

    from shop.core.database import no_statement_timeout

    started = time.monotonic()
    batches = follow()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        processes = [psutil.Process(), psutil.Process(cursor.fetchone()[0])]
    followed = time.monotonic() - started
    with no_statement_timeout(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    client = _staff()
    cache.clear()
    results = {}
    for name, (kind, query) in QUERIES.items():
        url = f"/api/v1/statistics/{kind}/"
        plans: list[str] = []

        def explain(
            execute: Any, sql: str, params: Any, many: bool, context: Any, plans: Any = plans
        ) -> Any:
            # Inside the transaction, because the statements before change how plans are chosen.
            if "SELECT" in sql and ("insight_" in sql or "purchases_" in sql):
                execute(f"EXPLAIN {sql}", params, many, context)
                plans.append("\n".join(row[0] for row in context["cursor"].fetchall()))
            return execute(sql, params, many, context)

        started = time.perf_counter()
        first = client.get(url, query)
        while first.status_code == 503 and time.perf_counter() - started < 60:
            first = client.get(url, query)
        cold = time.perf_counter() - started
        if first.status_code != 200:
            raise SystemExit(f"{name}: {first.status_code} {first.content[:300]!r}")
        times, used = [], [0.0, 0.0]
        for n in range(REPEAT):
            _buy(n)
            if n % 10 == 0:
                follow()
            before = [sum(each.cpu_times()[:2]) for each in processes]
            started = time.perf_counter()
            client.get(url, query)
            times.append(time.perf_counter() - started)
            for place, each in enumerate(processes):
                used[place] += sum(each.cpu_times()[:2]) - before[place]
        _buy(0)
        with connection.execute_wrapper(explain):
            client.get(url, query)
        ordered = sorted(times)
        results[name] = {
            "first": cold * 1000,
            "p50": statistics.median(ordered) * 1000,
            "p99": ordered[int(REPEAT * 0.99) - 1] * 1000,
            "used": [1000 * seconds / REPEAT for seconds in used],
            "scans": any(_SCAN.search(plan) for plan in plans),
            "plans": plans,
        }
    print(json.dumps({"batches": batches, "seconds": followed, "results": results}), flush=True)


def golden(path: str) -> list[str]:
    """Import the file into this database, and compare the figures. Return what was compared."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    columns = "userid=ID,timestamp=Date,price=Amount"
    call_command(
        *("import_purchases", path, "--columns", columns, "--date-format", "%Y%m%d"),
        stdout=sys.stderr,
    )
    number()
    client = _staff()
    lines = []

    def same(what: str, found: Any, wanted: Any) -> None:
        lines.append(f"{'equal' if found == wanted else 'DIFFERS'}: {what}: {found}")
        if found != wanted:
            raise SystemExit("\n".join([*lines, f"wanted {wanted}"]))

    for rolled in (False, True):
        if rolled:
            lines.append(f"{follow()} batches rolled up")
        for query, zone, (purchases, revenue, customers) in _GOLDEN:
            asked = query | {"interval": "month", "time_zone": zone}
            answer = client.get("/api/v1/statistics/sales/", asked).json()
            if not rolled and not answer["exact"]:
                continue
            (block,) = answer["currencies"]
            totals = block["totals"]
            figures = (totals["purchases"], totals["revenue"], customers and totals["customers"])
            same(
                f"{zone} {query['since']} to {query['until']}",
                figures,
                (purchases, revenue, customers),
            )
    same("customers of months", sum(each["customers"] for each in block["periods"]), 55353)
    months = {"since": "2017-01", "until": "2018-06"}
    cohorts = client.get("/api/v1/statistics/cohorts/", months).json()["cohorts"]
    same("cohorts", [each["customers"] for each in cohorts], [7844, 8475, 7225])
    same("active next month", [each["active"][1] for each in cohorts], [1157, 1312, 1032])
    whole = client.get("/api/v1/statistics/customers/", months | {"limit": "1"}).json()
    same("bought again", whole["repeat"], 11643)
    best = (whole["top"][0]["userid"], whole["top"][0]["revenue"])
    same("best customer", best, ("7592", "13925.98"))
    return lines


def main(arguments: list[str] | None = None) -> list[str]:
    """Measure. Return the lines of a Markdown table, and the plans below it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics", description=__doc__)
    parser.add_argument("--purchases", type=int, default=1_000_000)
    parser.add_argument("--golden", metavar="FILE", help="compare the figures of this file")
    parser.add_argument("--plans", action="store_true", help="print the plans too")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    if options.child:
        child()
        return []
    if options.golden:
        return golden(options.golden)
    url = _make(os.environ["DATABASE_URL"], options.purchases, max(100, options.purchases // 100))
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.statistics", "--child"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
    )
    measured = json.loads(answer.stdout)
    rows = [
        [
            name,
            *(f"{one[part]:.0f}" for part in ("p50", "p99", "first")),
            ", ".join(f"{used:.1f}" for used in one["used"]),
            "yes" if one["scans"] else "no",
        ]
        for name, one in measured["results"].items()
    ]
    times = ["p50, ms", "p99, ms", "first time, ms", "processor, ms: web, PostgreSQL"]
    head = ["what", *times, "scans the ledger"]
    lines = table(head, rows)
    lines += [
        "",
        f"{options.purchases} purchases; the roll-ups took {measured['seconds']:.0f} s in"
        f" {measured['batches']} batches.",
    ]
    if options.plans:
        for name, one in measured["results"].items():
            for plan in one["plans"]:
                lines += ["", f"{name}:", "", "```", plan, "```"]
    return lines


if __name__ == "__main__":
    print("\n".join(main()))
