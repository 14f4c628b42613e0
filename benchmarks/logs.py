"""Searches of the log among many lines.

    python -m shop.local.embedded --durable python -m benchmarks.logs --lines 5000000 --days 30

The lines are like those of requests, spread evenly over the days. Each question is asked in turns
through the search of the API, about 24 hours and about all days.
"""

import argparse
import os
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

REPEAT = 30
FILL = """
INSERT INTO logs_entry (at, id, kept, level, part, instance, logger, event, message, request_id,
    user_id, fields, words)
SELECT at, uuidv7(), CASE WHEN level >= 30 THEN 'warning' ELSE 'info' END, level, 'web', 'i',
    'django_structlog', 'request_finished', '', request_id, user_id,
    jsonb_build_object('code', 200, 'request', 'GET /api/v1/purchases/', 'rare', rare),
    array_to_tsvector(array['request', 'finished', 'get', 'api', 'v1', 'purchases', '200',
        request_id, 'rare' || rare, 'u' || user_id, 'n' || number % 100])
FROM (SELECT number, %s::timestamptz + number * %s::interval AS at,
          CASE WHEN number % 200 = 0 THEN 40 ELSE 20 END AS level, md5(number::text) AS request_id,
          number % 5000 AS user_id, number / 2000 AS rare
      FROM generate_series(%s::bigint, %s::bigint) AS number) AS line
"""
QUESTIONS: dict[str, dict[str, str]] = {
    "everything": {},
    "errors": {"level": "error"},
    "a word of all lines": {"q": "request"},
    "a word of one in 100": {"q": "n77"},
    "a rare word": {"q": "rare{rare}"},
    "a word of none": {"q": "nothing"},
    "two words": {"q": "purchases n77"},
    "errors with a word": {"level": "error", "q": "n0"},
    "a request": {"request_id": "{request}"},
    "an account": {"user": "77"},
    "a field": {"field.rare": "{rare}"},
    "part and word of none": {"part": "relay", "q": "request"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from logs.pages_of_lines import page_of
    from logs.search import search_of
    from shop.core.database import no_statement_timeout
    from shop.core.partitions import make_partitions

    call_command("prepare_database", verbosity=0)
    end = datetime.now(UTC)
    start = end - timedelta(days=options.days)
    for day in range(options.days + 1):
        make_partitions("logs_entry", *[start.date() + timedelta(days=day)] * 2)
    step = timedelta(days=options.days) / options.lines
    with no_statement_timeout(), connection.cursor() as cursor:
        for first in range(0, options.lines, 100_000):
            last = min(first + 100_000, options.lines) - 1
            cursor.execute(FILL.replace("% ", "%% "), [start, step, first, last])
            print(f"\r{last + 1}", end="", file=sys.stderr)
        cursor.execute("VACUUM ANALYZE logs_entry")
    number = options.lines - options.lines // options.days // 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5(%s::text)", [number])
        (request,) = cursor.fetchone()
    words = {"rare": str(number // 2000), "request": request}
    print(f"\n{options.lines} lines of {options.days} days\n")
    print("| question | 24 hours: p50, p95 ms | all days: p50, p95 ms |\n|---|---|---|")
    for name, question in QUESTIONS.items():
        given = {key: text.format(**words) for key, text in question.items()}
        cells = [
            _measured(lambda search: page_of(search, None, 50), search_of, given, since)
            for since in (end - timedelta(hours=24), start)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _measured(ask: Any, search_of: Any, given: dict[str, str], since: datetime) -> str:
    times = []
    for _ in range(REPEAT):
        began = time.perf_counter()
        ask(search_of(given | {"since": since.isoformat()}))
        times.append((time.perf_counter() - began) * 1000)
    return f"{statistics.median(times):.0f}, {statistics.quantiles(times, n=20)[-1]:.0f}"


if __name__ == "__main__":
    main()
