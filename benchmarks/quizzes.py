"""Saves and finishes of quizzes a second, and how long it takes to reckon all results again.

    python -m shop.local.embedded --durable python -m benchmarks.quizzes

One process, over loopback, with durable commits, 64 connections. A save is the first, second, … or
fifth state of an attempt. A finish writes result, event and count. Needs wrk.
"""

import argparse
import contextlib
import hashlib
import os
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import Any

import django

from benchmarks.single_buy import OURS, _serving, _wrk
from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

CONNECTIONS = 64
QUESTIONS = 12
SECRET = "A" * 43
SLUG = "bench"
_DONE = """
function done(summary, latency)
  io.write(string.format("RATE %f P99 %f ERRORS %d\\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""
_HEADERS = f"""
local headers = {{["Content-Type"] = "application/json",
  ["Authorization"] = "Attempt {SECRET}"}}
"""
# An attempt's states follow each other on different connections, so each is as new as its number.
SAVES = (
    _HEADERS
    + """
math.randomseed(os.time())
local run, number = math.random(1, 2 ^ 30), 0
function request()
  number = number + 1
  local attempt, rev = number % 1000 + 1000 * math.floor(number / 5000), number % 5000 / 1000 + 1
  local id = string.format("019d0000-0000-7000-8000-%04x%08x", run % 65536, attempt)
  local body = string.format('{"rev":%d,"version":1,"language":"en","answers":ANSWERS,' ..
    '"at":"q5","times":{"q1":1200}}', math.floor(rev))
  return wrk.format("PUT", "/api/v1/q/SLUG/attempts/" .. id .. "/", headers, body)
end
"""
    + _DONE
)
FINISHES = (
    _HEADERS
    + """
local ids, number = {}, 0
for line in io.lines("IDS") do ids[#ids + 1] = line end
function request()
  number = number + 1
  return wrk.format("POST", "/api/v1/q/SLUG/attempts/" .. ids[number] .. "/finish/", headers,
    '{"rev":1,"answers":ANSWERS}')
end
"""
    + _DONE
)
_ATTEMPTS = """
INSERT INTO quizzes_attempt (id, quiz_id, version_id, secret_sha256, rev, digest, language, answers,
  started_at)
SELECT uuidv7(), v.quiz_id, v.id, %s, 1, '', 'en', %s, now() - interval '1 minute'
  FROM quizzes_version AS v JOIN quizzes_quiz AS q ON q.id = v.quiz_id, generate_series(1, %s)
 WHERE q.slug = %s RETURNING id
"""


def _definition() -> dict[str, Any]:
    def text(what: str) -> dict[str, str]:
        return {"en": what}

    return {
        "format": "shop-quiz/1",
        "languages": ["en"],
        "title": text("Benchmark"),
        "settings": {"headline": "outcome"},
        "categories": [{"key": f"c{n}", "title": text(f"Category {n}")} for n in range(3)],
        "outcomes": [
            {"key": f"o{n}", "title": text(f"Outcome {n}"), "text": text("**Good.** {{percent}}")}
            for n in range(3)
        ],
        "fallback": "o0",
        "bands": [{"key": "low", "from": 0, "title": text("Low")}],
        "questions": [
            {
                "key": f"q{n}",
                "type": "single",
                "title": text(f"Question {n}"),
                "required": True,
                "categories": [f"c{n % 3}"],
                "options": [
                    {
                        "key": f"a{m}",
                        "title": text(f"Answer {m}"),
                        "points": m,
                        "outcomes": {f"o{m % 3}": 1},
                    }
                    for m in range(4)
                ],
                **({"show_if": {"q": f"q{n - 1}", "not": ["a0"]}} if n % 4 == 3 else {}),
            }
            for n in range(QUESTIONS)
        ],
    }


def _publish() -> None:
    from quizzes.authoring.models import Quiz, Version
    from quizzes.companies.models import Company
    from quizzes.definition.canonical import canonical, digest
    from quizzes.definition.parse import parse

    data = canonical(parse(_definition()))
    company, _ = Company.objects.get_or_create(slug=SLUG, defaults={"name": "Benchmark"})
    quiz = Quiz.objects.create(company=company, slug=SLUG, draft={}, state="open", version=1)
    quiz.refresh_from_db()
    Version.objects.create(
        quiz=quiz, number=1, definition=data.decode(), sha256=digest(data), scorer=1
    )


def _attempts(count: int, answers: str) -> list[str]:
    from django.db import connection

    secret = hashlib.sha256(bytes(32)).digest()
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, [secret, answers, count, SLUG])
        return [str(id) for (id,) in cursor.fetchall()]


def _verified(results: int) -> float:
    """Return the seconds in which so many results are reckoned again."""
    from django.core.management import call_command

    started = time.monotonic()
    call_command("verify_quizzes", stdout=StringIO())
    return time.monotonic() - started


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quizzes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args(arguments)
    django.setup()
    from django.core.management import call_command

    from quizzes.answering.models import Attempt, Result
    from quizzes.authoring.models import Quiz

    call_command("migrate", verbosity=0)
    if not Quiz.objects.filter(slug=SLUG).exists():
        _publish()
    answers = "{" + ",".join(f'"q{n}":"a{n % 3 + 1}"' for n in range(QUESTIONS)) + "}"
    saves, finishes = [], []
    with tempfile.TemporaryDirectory() as folder, _serving(OURS) as port:
        save, finish, ids = (Path(folder, name) for name in ("saves.lua", "finishes.lua", "ids"))
        for file, script in ((save, SAVES), (finish, FINISHES)):
            for name, value in (("ANSWERS", answers), ("SLUG", SLUG), ("IDS", str(ids))):
                script = script.replace(name, value)
            file.write_text(script)
        # The first request imports the views, and reads the definition.
        with contextlib.suppress(SystemExit):
            _wrk(port, save, 1, 3)
        for _ in range(options.rounds):
            before = Attempt.objects.count()
            saves.append(_wrk(port, save, CONNECTIONS, options.seconds))
            assert Attempt.objects.count() > before
            ids.write_text("\n".join(_attempts(3000 * options.seconds, answers)))
            before = Result.objects.count()
            finishes.append(_wrk(port, finish, CONNECTIONS, options.seconds))
            assert Result.objects.count() >= before + finishes[-1][0] * options.seconds * 0.9
    results = Result.objects.count()
    seconds = _verified(results)
    lines = table(
        ["", "a second", "99th percentile, ms"],
        [
            [name, spread([rate for rate, _ in found], 0), spread([ms for _, ms in found], 0)]
            for name, found in (("save", saves), ("finish", finishes))
        ],
    )
    return [*lines, "", f"{results} results were reckoned again in {seconds:.1f} s."]


if __name__ == "__main__":
    print("\n".join(main()))
