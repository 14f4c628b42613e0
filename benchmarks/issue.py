"""Invoices issued a second: one by one through the API, and all at once by a run.

    python -m shop.local.embedded --durable python -m benchmarks.issue
    python -m shop.local.embedded --durable python -m benchmarks.issue --run

The first needs wrk: 16 clients issue drafts of three lines, each by a request of its own. The
second is one run of 10 000 customers with three purchases each. Commits are durable.
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
from django.core.management import call_command

from benchmarks.single_buy import OURS, SOCKETS, _serving, _wrk

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
LINES = 3
SCRIPT = """
local ids = {{}}
for line in io.lines("{ids}") do ids[#ids + 1] = line end
local number = 0
function request()
  number = number + 1
  return wrk.format("POST", "/api/v1/billing/invoices/" .. ids[number % #ids + 1] .. "/issue/",
    {{["Authorization"] = "Token {token}"}})
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
    options = parser.parse_args()
    django.setup()
    call_command("migrate", verbosity=0)
    if options.run:
        _run(options.customers)
    else:
        _singly(options.seconds)


def _bought(count: int) -> tuple[Any, list[Any]]:
    """Make somebody who may issue, and customers with purchases. Return them."""
    from accounts.models import User
    from billing.taxes.models import TaxRate
    from purchases.models import Purchase

    TaxRate.objects.get_or_create(
        code="standard", valid_from="2020-01-01", defaults={"category": "S", "rate": Decimal(19)}
    )
    run = uuid.uuid4().hex[:8]
    admin = User.objects.create(username=f"bench-admin-{run}", userid=f"a-{run}", is_staff=True)
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
    return admin, customers


def _run(count: int) -> None:
    from django.db import transaction

    from billing.runs.models import Run
    from billing.runs.services import run_request, run_work

    admin, _customers = _bought(count)
    with transaction.atomic():
        run = run_request(admin, until=datetime.now(UTC).isoformat(), issue=True, send=False)
    started = time.perf_counter()
    while Run.objects.get(pk=run.pk).status != Run.Status.DONE:
        run_work(run.pk)
    seconds = time.perf_counter() - started
    run.refresh_from_db()
    print(f"{run.invoices} invoices in {seconds:.1f} s: {run.invoices / seconds:.0f}/s")


def _singly(seconds: int) -> None:
    from accounts.models import Token
    from billing.invoices.composing import Request
    from billing.invoices.drafts import draft_create
    from billing.invoices.models import Document

    admin, customers = _bought(seconds * 400)
    drafts = [draft_create(admin, customer, Request()) for customer in customers]
    with tempfile.TemporaryDirectory() as folder, _serving(OURS + SOCKETS) as port:
        ids, script = Path(folder, "ids"), Path(folder, "issue.lua")
        ids.write_text("".join(f"{draft.pk}\n" for draft in drafts))
        token = Token.objects.create(user=admin)[1]
        script.write_text(SCRIPT.format(ids=ids, token=token))
        before = Document.objects.count()
        started = time.perf_counter()
        _rate, p99 = _wrk(port, script, 16, seconds)
        taken = time.perf_counter() - started
        issued = Document.objects.count() - before
    print(f"{issued} invoices by 16 clients: {issued / taken:.0f}/s, p99 {p99:.0f} ms")


if __name__ == "__main__":
    main()
