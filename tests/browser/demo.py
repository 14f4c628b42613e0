"""A shop that has been open for months: what pictures are taken of and Lighthouse measures."""

import json
import math
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.system import System, running, wait_for

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Kolkata",
)
PURCHASES = 70_000
DAYS = 180
_FIRST = """
Ada Amara Anna Ben Bilal Clara Daan Elif Emma Farid Grace Hana Hugo Ines Ivan Jonas Kenji Lea Leila
Liam Lucía Marta Mateo Mei Milan Mina Nadia Noah Nora Oskar Priya Ravi Rosa Sara Sofia Théo Tom Yara
Yusuf Zoë
"""
_LAST = """
Adler Bakker Becker Berg Costa Demir Dubois Fischer García Haddad Horváth Ivanova Jansen Kaya Keller
Kim Kovács Lang Lefèvre Martin Meyer Molnár Nagy Novak Okafor Olsen Park Patel Rossi Sato Schmidt
Silva Szabó Tanaka Tóth Varga Weber Wolf Yilmaz Young
"""
ITEMS = [
    ("Notebook, A5", 15.49, 9),
    ("Fountain pen", 42.00, 4),
    ("Ink, 50 ml", 12.90, 7),
    ("Reading lamp", 64.50, 2),
    ("Desk mat", 29.49, 3),
    ("Pencils, box of 12", 8.75, 8),
    ("Moby-Dick, hardcover", 24.46, 3),
    ("Letter paper, 100 sheets", 11.20, 5),
    ("Envelopes, 50", 6.40, 5),
    ("Wall calendar", 18.00, 2),
    ("Drawing pad, A3", 21.30, 3),
    ("Gift card", 50.00, 1),
    ("Eraser", 1.95, 6),
    ("Backpack", 89.00, 1),
    ("Brush set", 34.75, 2),
]


def zone() -> str:
    """Return the zone of the shop: the first one where it is afternoon, so that today has begun."""
    now = datetime.now(UTC)
    return next(
        (each for each in ZONES if 14 <= now.astimezone(ZoneInfo(each)).hour < 19), ZONES[0]
    )


def _people(chance: random.Random) -> list[tuple[str, str]]:
    names = [f"{first} {last}" for first in _FIRST.split() for last in _LAST.split()]
    chance.shuffle(names)
    return [(name, f"{1000 + n}") for n, name in enumerate(names[:1200])]


def _moment(chance: random.Random, now: datetime) -> datetime:
    """Return a moment when a shop is busy: more by day, before the weekend, and lately."""
    while True:
        age = DAYS * (1 - math.sqrt(chance.random()))
        moment = now - timedelta(days=age)
        hour = moment.hour + moment.minute / 60
        busy = 0.08 + 0.92 * math.exp(-(((hour - 14.5) / 4.5) ** 2))
        if chance.random() < busy * (1.0 if moment.weekday() in (4, 5) else 0.7):
            return moment


def lines() -> Iterator[dict[str, Any]]:
    """Yield the purchases, the same ones at each run but for their times."""
    chance = random.Random(13)
    people = [("ann", "006"), *_people(chance)]
    now = datetime.now(ZoneInfo(zone()))
    weights = [weight for *_, weight in ITEMS]
    for n in range(PURCHASES):
        # The first ones are today's, so that the newest page looks lived in.
        moment = now - timedelta(seconds=40 + n * 97) if n < 400 else _moment(chance, now)
        username, userid = ("joe", "005") if n % 400 == 0 else chance.choice(people)
        item, price, _ = chance.choices(ITEMS, weights)[0]
        yield {
            "username": username,
            "userid": userid,
            "item": item,
            "price": f"{price * chance.choice((1, 1, 1, 0.9, 1.1)):.2f}",
            "currency": chance.choices(("EUR", "USD", "GBP"), (20, 2, 1))[0],
            "quantity": chance.choices((1, 2, 3, 6, 12), (20, 6, 3, 1, 1))[0],
            "timestamp": moment.isoformat(),
        }


@contextmanager
def demo() -> Iterator[System]:
    """Run the site with the demo accounts and these purchases, during the block."""
    with (
        tempfile.TemporaryDirectory(prefix="shop-demo-") as folder,
        running(Path(folder) / "data") as system,
    ):
        # Oldest first, as they would have come in.
        ordered = sorted(lines(), key=lambda line: line["timestamp"])
        body = "\n".join(json.dumps(line) for line in ordered).encode()
        answer = system.request(
            "POST",
            "/api/v1/purchases/bulk/",
            body,
            system.token("staff"),
            timeout=300,
            Content_Type="application/x-ndjson",
        )
        assert answer.status in (200, 201), answer.body[:500]
        # The feed shows the newest purchases only when the relay has numbered all of them.
        staff = system.token("staff")
        wait_for(lambda: system.log_end(staff) >= PURCHASES, 120)
        until = datetime.now(UTC).date().isoformat()
        joe = system.token("joe")
        for since in ("2024-01-01", until):
            asked = {"kind": "statement", "since": since, "until": until}
            system.request("POST", "/api/v1/reports/", asked, joe)
        yield system
