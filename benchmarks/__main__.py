"""``make bench``: the benchmarks as tables of ratios, printed and written to docs/performance.md.

    make bench                       # all of them, some minutes
    make bench ARGS="feed bulk"      # only these
    make bench ARGS=--full           # with ten million purchases and long rounds

Each table stands between two comments of the document; what is around it is written by hand.
"""

import argparse
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("LOG_LEVEL", "ERROR")

from benchmarks import (
    bulk,
    export,
    fair,
    feed,
    lists,
    nginx,
    quizzes,
    servers,
    single_buy,
    start,
    statement,
    statistics,
)

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
BENCHMARKS = {
    "single_buy": (single_buy.main, ["--rounds", "3"], ["--rounds", "5"]),
    "bulk": (bulk.main, ["--rounds", "3"], ["--rounds", "5"]),
    "lists": (
        lists.main,
        ["--rounds", "3"],
        ["--rounds", "5", "--purchases", "10000000", "--plans"],
    ),
    "statistics": (
        statistics.main,
        ["--purchases", "100000"],
        ["--purchases", "10000000", "--plans"],
    ),
    "export": (
        export.main,
        ["--rounds", "1", "--purchases", "100000"],
        ["--rounds", "3", "--purchases", "1000000"],
    ),
    "nginx": (nginx.main, ["--rounds", "3"], ["--rounds", "5", "--seconds", "10"]),
    "feed": (feed.main, ["--rounds", "1"], ["--rounds", "3"]),
    "fair": (fair.main, ["--seconds", "5"], ["--seconds", "20"]),
    "statement": (statement.main, ["--rounds", "1"], ["--rounds", "3", "--long"]),
    "quizzes": (quizzes.main, ["--rounds", "3"], ["--rounds", "5", "--seconds", "10"]),
    "start": (start.main, ["--rounds", "3"], ["--rounds", "5"]),
    "servers": (servers.main, ["--rounds", "1"], ["--rounds", "3"]),
}


def write(name: str, lines: list[str]) -> None:
    """Replace a table of the document by a new one."""
    text = DOCUMENT.read_text()
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    measured = f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}."
    block = "\n".join([begin, "", *lines, "", measured, "", end])
    text, found = pattern.subn(lambda match: block, text)
    if not found:
        raise SystemExit(f"{DOCUMENT.name} has no place for {name}.")
    DOCUMENT.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--full", action="store_true", help="long rounds, ten million purchases")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name in options.names or BENCHMARKS:
        run, short, full = BENCHMARKS[name]
        lines = run(full if options.full else short)
        print(f"\n{name}\n")
        print("\n".join(lines), flush=True)
        write(name, lines)


if __name__ == "__main__":
    main()
