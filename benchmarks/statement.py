"""Statements of many lines: this project's rendering and WeasyPrint's, in time and memory.

    python -m benchmarks.statement            # 10 000 and 100 000 lines; WeasyPrint at 2 000
    python -m benchmarks.statement --long     # WeasyPrint at 10 000 lines too, a minute a run

Every run is a process of its own. Both render the same lines to the same columns, the runs
alternate, and the ratios are those of neighbouring runs. Memory is the peak of the whole process
tree, sampled: what child processes share is counted in each, so it errs on the high side.
WeasyPrint is optional: ``pip install weasyprint``, and the system's pango.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from pathlib import Path

import psutil

from benchmarks.tables import spread, table
from reports.contents import CurrencyTotal, MonthTotal, StatementHeader, StatementLine
from reports.rendering import render_statement

SINCE = datetime(2024, 5, 1, tzinfo=UTC)
SAMPLE_SECONDS = 0.01


def make_lines(count: int) -> Iterator[StatementLine]:
    """Yield ``count`` purchases of May 2024 with items of 10 to 60 characters."""
    for index in range(count):
        price, quantity = Decimal(index * 37 % 100_000) / 100, index % 4 + 1
        yield StatementLine(
            timestamp=SINCE + timedelta(seconds=index * 31 * 86_400 // count),
            item=f"Item {index:05}" + " of the corner shop's shelf" * (index % 3),
            quantity=quantity,
            price=price,
            currency="EUR",
            total=price * quantity,
        )


def make_header(count: int) -> StatementHeader:
    total = sum((line.total for line in make_lines(count)), Decimal())
    return StatementHeader(
        report_id="0197f3c0-0000-7000-8000-000000000000",
        shop_name="Corner Shop",
        username="joe",
        userid="005",
        email="joe@example.org",
        since=date(2024, 5, 1),
        until=date(2024, 5, 31),
        generated_at=datetime(2024, 6, 1, tzinfo=UTC),
        months=[MonthTotal(month=date(2024, 5, 1), currency="EUR", purchases=count, total=total)],
        totals=[CurrencyTotal(currency="EUR", purchases=count, total=total)],
    )


def render_ours(count: int, output: Path) -> None:
    render_statement(header=make_header(count), lines=make_lines(count), output=output)


def render_weasyprint(count: int, output: Path) -> None:
    """Render the same as ``render_ours``, from one HTML table, tagged as PDF/UA-1."""
    from weasyprint import HTML

    header = make_header(count)
    titles = ("Time (UTC)", "Item", "Quantity", "Unit price", "Currency", "Total")
    rows = "".join(
        f"<tr><td>{line.timestamp:%Y-%m-%d %H:%M:%S}<td>{escape(line.item)}<td>{line.quantity}"
        f"<td>{line.price:.2f}<td>{line.currency}<td>{line.total:.2f}"
        for line in make_lines(count)
    )
    style = """
        @page { size: A4; margin: 20mm 16mm;
          @bottom-right { content: "Page " counter(page) " of " counter(pages) } }
        body { font: 9pt serif }
        table { width: 100%; table-layout: fixed; border-collapse: collapse }
        td:nth-child(n+3) { text-align: right }
        tr:nth-child(even) { background: #f3f6f8 }
    """
    HTML(
        string=f"<html lang=en><title>Statement</title><style>{style}</style>"
        f"<h1>Statement of purchases</h1><p>{header.shop_name}, {header.username}, "
        f"{header.totals[0].total} EUR<table><thead><tr>"
        + "".join(f"<th scope=col>{title}" for title in titles)
        + f"<tbody>{rows}</table>"
    ).write_pdf(str(output), pdf_variant="pdf/ua-1")


RENDERERS = {"ours": render_ours, "weasyprint": render_weasyprint}


def measure(renderer: str, count: int) -> tuple[float, float, float]:
    """Render in a new process. Return seconds, the peak of its tree in MB, and the MB made."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "statement.pdf"
        started = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.statement",
                *("--one", renderer, str(count), str(output)),
            ]
        )
        peak = 0
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            used = 0
            try:
                for member in [tree, *tree.children(recursive=True)]:
                    used += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            peak = max(peak, used)
            time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - started
        if process.returncode:
            sys.exit(f"{renderer} failed with {count} lines.")
        return seconds, peak / 1e6, output.stat().st_size / 1e6


def main(arguments: Sequence[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statement", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="WeasyPrint at 10 000 lines too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        renderer, count, output = options.one
        RENDERERS[renderer](int(count), Path(output))
        return []
    weasyprint = importlib.util.find_spec("weasyprint") is not None
    rows = []
    for count in (2_000, 10_000, 100_000):
        both = weasyprint and (count == 2_000 or (count == 10_000 and options.long))
        # A run of 100 000 lines takes half a minute, and its figure is not a ratio.
        rounds = options.rounds if count < 100_000 else 1
        pairs = [
            (measure("ours", count), measure("weasyprint", count) if both else None)
            for _ in range(rounds)
        ]
        ours = [pair[0] for pair in pairs]
        theirs = [pair[1] for pair in pairs if pair[1] is not None]
        rows.append(
            [
                count,
                spread([run[0] for run in ours]),
                spread([run[1] for run in ours], 0),
                spread([run[0] for run in theirs]) if both else "–",
                spread([run[1] for run in theirs], 0) if both else "–",
                spread([a[0] / b[0] for a, b in zip(ours, theirs, strict=True)], 3)
                if both
                else "–",
            ]
        )
    return table(
        ["lines", "ours, s", "ours, peak MB", "WeasyPrint, s", "WeasyPrint, peak MB",
         "ours / WeasyPrint, time"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    print("\n".join(main()))
