"""Invoices issued a second: one by one through the API, and all at once by a run.

    python -m shop.local.embedded --durable python -m benchmarks.issue
    python -m shop.local.embedded --durable python -m benchmarks.issue --run

The first needs wrk: 16 clients issue drafts of three lines, each by a request of its own, with the
tokens of some accounts, because the gate gives one account three of eight threads. The server is
warmed up before. The second is one run of 10 000 customers with three purchases each. Commits are
durable. The processor's milliseconds are for one invoice, and say more than the rate does on a
machine that others use, too.
"""

import argparse
import os
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
import psutil
from django.core.management import call_command

from benchmarks.single_buy import OURS, SOCKETS, _serving, _wrk

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
LINES = 3
CLIENTS = 16
WARM_UP = 2
"""Seconds."""
SCRIPT = """
local ids, tokens = {{}}, {{}}
for line in io.lines("{ids}") do ids[#ids + 1] = line end
for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end
local number = 0
function request()
  number = number + 1
  return wrk.format("POST", "/api/v1/billing/invoices/" .. ids[number % #ids + 1] .. "/issue/",
    {{["Authorization"] = "Token " .. tokens[number % #tokens + 1]}})
end
function done(summary, latency)
  io.write(string.format("RATE %f P99 %f ERRORS %d\\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""


def main() -> None:
    """Measure, and print the rate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="one run instead of single requests")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--accounts", type=int, default=8, help="whose tokens issue, in turns")
    options = parser.parse_args()
    django.setup()
    call_command("migrate", verbosity=0)
    if options.run:
        _run(options.customers)
    else:
        _singly(options.seconds, options.accounts)


def _bought(count: int, accounts: int = 1) -> tuple[list[Any], list[Any]]:
    """Make accounts that may issue, and customers with purchases. Return them."""
    from accounts.models import User
    from billing.taxes.models import TaxRate
    from purchases.models import Purchase

    TaxRate.objects.get_or_create(
        code="standard", valid_from="2020-01-01", defaults={"category": "S", "rate": Decimal(19)}
    )
    run = uuid.uuid4().hex[:8]
    issuers = [
        User.objects.create(
            username=f"issuer-{run}-{number}", userid=f"i-{run}-{number}", is_staff=True
        )
        for number in range(accounts)
    ]
    customers = User.objects.bulk_create(
        User(username=f"bench-{run}-{number}", userid=f"b-{run}-{number}")
        for number in range(count)
    )
    start = datetime.now(UTC) - timedelta(days=2)
    Purchase.objects.bulk_create(
        (
            Purchase(
                customer=customer,
                recorded_by=customer,
                item=f"book {number}",
                quantity=2,
                price=Decimal("12.50"),
                currency="EUR",
                timestamp=start + timedelta(seconds=number),
                dedupe_key=uuid.uuid4(),
            )
            for customer in customers
            for number in range(LINES)
        ),
        batch_size=5000,
    )
    return issuers, customers


def _run(count: int) -> None:
    from django.db import transaction

    from billing.runs.models import Run
    from billing.runs.services import run_request, run_work

    (issuer,), _customers = _bought(count)
    with transaction.atomic():
        run = run_request(issuer, until=datetime.now(UTC).isoformat(), issue=True, send=False)
    started, before = time.perf_counter(), _processors(psutil.Process())
    while Run.objects.get(pk=run.pk).status != Run.Status.DONE:
        run_work(run.pk)
    seconds = time.perf_counter() - started
    run.refresh_from_db()
    print(
        f"{run.invoices} invoices in {seconds:.1f} s: {run.invoices / seconds:.0f}/s, "
        f"{_spent(before, _processors(psutil.Process()), run.invoices)}"
    )


def _singly(seconds: int, accounts: int) -> None:
    from accounts.models import Token
    from billing.invoices.composing import Request
    from billing.invoices.drafts import draft_create
    from billing.invoices.models import Document

    issuers, customers = _bought((seconds + WARM_UP) * 300, accounts)
    drafts = [draft_create(issuers[0], customer, Request()) for customer in customers]
    with tempfile.TemporaryDirectory() as name, _serving(OURS + SOCKETS) as port:
        folder = Path(name)
        tokens = folder / "tokens"
        tokens.write_text("".join(f"{Token.objects.create(user=each)[1]}\n" for each in issuers))
        (server,) = (each for each in psutil.Process().children() if "uvicorn" in each.cmdline())

        def issue(some: list[Any], seconds: int) -> tuple[int, float, float]:
            """Return how many were issued, in how many seconds, and the 99th percentile."""
            ids, script = folder / "ids", folder / "issue.lua"
            ids.write_text("".join(f"{draft.pk}\n" for draft in some))
            script.write_text(SCRIPT.format(ids=ids, tokens=tokens))
            before = Document.objects.count()
            started = time.perf_counter()
            p99 = _wrk(port, script, CLIENTS, seconds)[1]
            return Document.objects.count() - before, time.perf_counter() - started, p99

        issue(drafts[: WARM_UP * 300], WARM_UP)
        before = _processors(server)
        issued, taken, p99 = issue(drafts[WARM_UP * 300 :], seconds)
        spent = _spent(before, _processors(server), issued)
    print(
        f"{issued} invoices by {CLIENTS} clients of {accounts} accounts: {issued / taken:.0f}/s, "
        f"p99 {p99:.0f} ms, {spent}"
    )


def _processors(process: psutil.Process) -> tuple[float, float]:
    """Return the processor's seconds of a process, and of PostgreSQL, so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0]).parent()
    assert server is not None

    def seconds(each: psutil.Process) -> float:
        times = each.cpu_times()
        return float(times.user + times.system)

    postgres = server.cpu_times()
    ended = float(postgres.children_user + postgres.children_system)
    return seconds(process), ended + sum(seconds(each) for each in server.children())


def _spent(before: tuple[float, float], after: tuple[float, float], count: int) -> str:
    ours, postgres = (1000 * (b - a) / count for a, b in zip(before, after, strict=True))
    return f"{ours:.2f} ms of the processor each in Python and {postgres:.2f} ms in PostgreSQL"


if __name__ == "__main__":
    main()
