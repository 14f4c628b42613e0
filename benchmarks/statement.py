"""Statements of many lines: this project's rendering and WeasyPrint's, in time and memory.

    python -m benchmarks.statement            # 10 000 and 100 000 lines; WeasyPrint at 2 000
    python -m benchmarks.statement --long     # WeasyPrint at 10 000 lines too, a minute a run

Every run is a process of its own. Both render the same lines to the same columns, the runs
alternate, and the ratios are those of neighbouring runs. Memory is the peak of the whole process
tree, sampled: what child processes share is counted in each, so it errs on the high side.
WeasyPrint is optional: `pip install weasyprint`, and the system's pango.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
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

from reports.rendering import (
    CurrencyTotal,
    MonthTotal,
    StatementHeader,
    StatementLine,
    render_statement,
)

SINCE = datetime(2024, 5, 1, tzinfo=UTC)
SAMPLE_SECONDS = 0.01


def make_lines(count: int) -> Iterator[StatementLine]:
    """Yield `count` purchases of May 2024 with items of 10 to 60 characters."""
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
    """Render what `render_ours` does from one HTML table, tagged as PDF/UA-1."""
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
    """Render in a new process; return seconds, peak megabytes of its tree, and megabytes made."""
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


def describe(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="WeasyPrint at 10 000 lines too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        renderer, count, output = options.one
        RENDERERS[renderer](int(count), Path(output))
        return

    rivals = {2_000, 10_000} if options.long else {2_000}
    if importlib.util.find_spec("weasyprint") is None:
        print("WeasyPrint is not installed: its runs are skipped.")
        rivals = set()
    print(f"Median of {options.runs} runs (least to most)")
    print(f"{'lines':>7}  {'renderer':10}  {'seconds':24}  {'peak MB':24}  file MB")
    for count in (2_000, 10_000, 100_000):
        names = [name for name in RENDERERS if name == "ours" or count in rivals]
        results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
        for _ in range(options.runs):
            for name in names:
                results[name].append(measure(name, count))
        for name, runs in results.items():
            seconds, peaks, sizes = zip(*runs, strict=True)
            print(
                f"{count:>7}  {name:10}  {describe(seconds):24}  {describe(peaks):24}  "
                f"{sizes[0]:.1f}"
            )
        if len(names) == 2:
            pairs = list(zip(results["weasyprint"], results["ours"], strict=True))
            times = describe([theirs[0] / ours[0] for theirs, ours in pairs])
            peaks_ratio = describe([theirs[1] / ours[1] for theirs, ours in pairs])
            print(f"{count:>7}  {'ratio':10}  {times:24}  {peaks_ratio:24}")


if __name__ == "__main__":
    main()
