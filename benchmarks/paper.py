"""Papers of invoices, a second of one processor core, and what a long one costs.

    ENVIRONMENT=development python -m benchmarks.paper          # 200 invoices, then 5 000 lines

A paper is the PDF with its e-invoice inside, in a file. Its time is the processor's, of this
process and of typst's child, because another program may use the cores meanwhile. The invoices
differ, so nothing is rendered twice. Memory is each process's peak.
"""

import argparse
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import django
import psutil

from billing.content import Body, Buyer, Content, ContentLine, ContentTax, Seller


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--lines", type=int, default=5)
    parser.add_argument("--long", type=int, default=5000)
    given = parser.parse_args()
    django.setup()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "paper.pdf"
        # The child starts, and reads its fonts.
        render(output, 0, given.lines)
        before, began = processor_seconds(), time.perf_counter()
        for number in range(1, given.count + 1):
            render(output, number, given.lines)
        used, passed = processor_seconds() - before, time.perf_counter() - began
        print(
            f"{given.count} invoices of {given.lines} lines: {given.count / used:.0f} a second of "
            f"one core, {given.count / passed:.0f} a second in all, "
            f"{output.stat().st_size / 1000:.0f} kB each"
        )
        before, began = processor_seconds(), time.perf_counter()
        pages = render(output, 1, given.long)
        used, passed = processor_seconds() - before, time.perf_counter() - began
        print(
            f"1 invoice of {given.long} lines: {used:.1f} s of one core, {passed:.1f} s in all, "
            f"{pages} pages, {output.stat().st_size / 1e6:.1f} MB; peaks: {peaks()}"
        )


def render(output: Path, number: int, lines: int) -> int | None:
    """Write the paper of an invoice; return its pages."""
    from billing.paper.pdf import render_paper

    content, buyer = invoice(number, lines)
    done = render_paper(
        content,
        buyer,
        output,
        hash_=f"{number:064x}",
        language="en",
        site_url="https://shop.example",
        site_name="Shop",
    )
    return done.pages


def invoice(number: int, lines: int) -> tuple[Content, Buyer]:
    """Return the content and the buyer of an invoice with prices that include 19 % tax."""
    gross = Decimal("11.90")
    rows = [
        ContentLine(
            position=position,
            purchase=uuid4(),
            text=f"Item {number}-{position}",
            quantity=1,
            price=gross,
            gross=gross,
            discount=Decimal("0.00"),
            net=Decimal("10.00"),
            tax_category="S",
            tax_rate=Decimal("19.00"),
            supplied_on=date(2026, 4, 1 + position % 28),
        )
        for position in range(1, lines + 1)
    ]
    net, tax = Decimal("10.00") * lines, Decimal("1.90") * lines
    body = Body(
        currency="EUR",
        exponent=2,
        prices_include_tax=True,
        lines=rows,
        discounts=[],
        taxes=[ContentTax(category="S", rate=Decimal("19.00"), net=net, tax=tax)],
        net=net,
        tax=tax,
        total=net + tax,
    )
    content = Content(
        kind="invoice",
        id=uuid4(),
        series="INV-2026",
        sequence=number + 1,
        number=f"INV-2026-{number + 1:06}",
        issued_on=date(2026, 5, 1),
        due_on=date(2026, 5, 15),
        seller=Seller(
            name="Shop GmbH",
            address="Street 1",
            postcode="10115",
            city="Berlin",
            country="DE",
            vat_id="DE123456788",
            iban="DE89370400440532013000",
        ),
        buyer="sha256:00",
        body=body,
    )
    return content, Buyer(name=f"Customer {number}", address="Street 2\n10117 Berlin", country="DE")


def processor_seconds() -> float:
    """Return the processor's time of this process and its children so far."""
    here = psutil.Process()
    return sum(
        times.user + times.system
        for times in (each.cpu_times() for each in (here, *here.children()))
    )


def peaks() -> str:
    """Return the most memory that this process and its children have had."""
    found = []
    for process in (psutil.Process(), *psutil.Process().children()):
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        found.append(f"{int(peak.split()[1]) / 1000:.0f} MB")
    return ", ".join(found)


if __name__ == "__main__":
    main()
