"""PDFs of results, a second of one processor core.

    ENVIRONMENT=development python -m benchmarks.result_pdf      # 200 results of one page

The time is the processor's, of this process and of typst's child, because another program may use
the cores meanwhile. The results differ, so nothing is rendered twice.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import psutil


def main() -> None:
    """Print the rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--answers", type=int, default=8)
    given = parser.parse_args()
    django.setup()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "result.pdf"
        # The child starts, and reads its fonts.
        pages = render(output, 0, given.answers)
        before, began = processor_seconds(), time.perf_counter()
        for number in range(1, given.count + 1):
            render(output, number, given.answers)
        used, passed = processor_seconds() - before, time.perf_counter() - began
        print(
            f"{given.count} results of {given.answers} answers, {pages} page: "
            f"{given.count / used:.0f} a second of one core, {given.count / passed:.0f} a second "
            f"in all, {output.stat().st_size / 1000:.0f} kB each"
        )


def render(output: Path, number: int, answers: int) -> int | None:
    """Write the PDF of a result; return its pages."""
    from documents.compile import render_short
    from quizzes.leads.kinds import TEMPLATE

    generated = datetime(2026, 5, 1, tzinfo=UTC)
    return render_short(TEMPLATE, sheet(number, answers), output, generated=generated).pages


def sheet(number: int, answers: int) -> dict[str, Any]:
    """Return the data of a result."""
    text = [{"type": "text", "text": f"You like it dark, at {number} degrees."}]
    return {
        "lang": "en",
        "dir": "ltr",
        "title": "Which coffee are you?",
        "company": "The Roastery",
        "logo": None,
        "color": "#1f5c4d",
        "accent": "#1f5c4d",
        "about": "Answered on May 1, 2026",
        "headline": {"title": "Espresso", "text": [{"type": "paragraph", "children": text}]},
        "figures": [("Points", f"{number} of 400"), ("Percent", f"{number / 4} %")],
        "blocks": [{"type": "list", "ordered": False, "items": [text, text]}],
        "categories": {
            "title": "Categories",
            "head": ["Category", "", "Percent", "Level"],
            "rows": [
                {"title": f"Part {n}", "share": 20.0 * n, "percent": f"{20 * n} %", "band": "high"}
                for n in range(1, 4)
            ],
        },
        "coupon": {"label": "Your coupon", "code": "ABCD-EFGH-JKMN"},
        "answers": {
            "title": "Your answers",
            "head": ["Question", "Your answer"],
            "marked": False,
            "rows": [[f"Question {n}?", f"Answer {number}-{n}"] for n in range(answers)],
        },
        "links": [("Privacy", "https://shop.example/privacy")],
    }


def processor_seconds() -> float:
    """Return the processor's seconds of this process and its children so far."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    main()
