"""The roll-ups: equal to the ledger, whoever dies, restarts or rebuilds."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.models import User
from events.followers import (
    StandingBy,
    _apply_batch,
    _make_row,
    follow,
    rebuild,
)
from events.models import Event, FollowerCursor, Outbox
from events.tests.log import number
from insight.ledger_checks import CHECKS
from insight.statistics.follower import NAME, TABLES, Statistics
from purchases.models import Purchase
from shop.core.database import own_connection_parameters
from tests.system import ROOT, wait_for

FOLLOWER = Statistics()
START = datetime(2024, 2, 27, 22, 10, tzinfo=UTC)


def bought(rows: Iterable[dict[str, Any]]) -> None:
    """Record purchases, and give their events positions."""
    purchases = [
        Purchase(
            **{
                "id": uuid.uuid4(),
                "dedupe_key": uuid.uuid4(),
                "recorded_by_id": row["customer_id"],
                "received_at": row["timestamp"],
            }
            | row
        )
        for row in rows
    ]
    Purchase.objects.bulk_create(purchases)
    Outbox.objects.bulk_create(
        [Outbox(key=one.id, customer_id=one.customer_id, type=1, xid=1) for one in purchases]
    )
    while number():
        continue


def some(count: int, seed: int = 1, *, start: datetime = START, days: int = 5) -> None:
    """Record random purchases of four customers and five items in two currencies."""
    random = Random(seed)
    customers = [
        User.objects.get_or_create(username=f"buyer {n}", defaults={"userid": f"b{n}"})[0].pk
        for n in range(4)
    ]
    bought(
        {
            "customer_id": random.choice(customers),
            "item": random.choice(("", "book", "lamp", "Ümläut", "=1+1")),
            "quantity": random.randint(1, 9),
            "price": Decimal(random.randint(0, 99999)) / 100,
            "currency": random.choice(("EUR", "EUR", "JPY")),
            "timestamp": start + timedelta(seconds=random.randint(0, days * 86400)),
        }
        for _ in range(count)
    )


def follow_all() -> None:
    """Let the follower come to the end of the log, of a rebuild and of what it has to remove."""
    for _ in range(200):
        if follow(FOLLOWER) == FOLLOWER.pause:
            return
    pytest.fail("The follower does not come to the end.")


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the version that readers see, without it; they are all that there are."""
    version = FollowerCursor.objects.get(pk=NAME).version
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT to_jsonb(t) - 'version', version FROM {table} t ORDER BY 1")
            rows = cursor.fetchall()
            found[table] = [row[0] for row in rows if row[1] == version]
    return found


def leftovers() -> int:
    """Return how many rows of other versions there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT count(*) FROM {table} WHERE version <> "
                f"(SELECT version FROM events_followercursor WHERE name = '{NAME}')"
                for table in TABLES
            )
        )
        return sum(row[0] for row in cursor.fetchall())


_SQL = {
    "insight_slot": """SELECT date_bin('15 minutes', timestamp, '2000-01-01 00:00+00') AS slot,
        currency, count(*), sum(quantity), sum(price * quantity)
        FROM purchases_purchase GROUP BY 1, 2""",
    "insight_item_day": """SELECT item, (timestamp AT TIME ZONE 'UTC')::date, currency, count(*),
        sum(quantity), sum(price * quantity) FROM purchases_purchase GROUP BY 1, 2, 3""",
    "insight_customer_day": """SELECT customer_id, (timestamp AT TIME ZONE 'UTC')::date, currency,
        count(*), sum(quantity), sum(price * quantity) FROM purchases_purchase GROUP BY 1, 2, 3""",
    "insight_customer": """SELECT customer_id, currency, min(timestamp), max(timestamp), count(*),
        sum(quantity), sum(price * quantity) FROM purchases_purchase GROUP BY 1, 2""",
}
_COLUMNS = {
    "insight_slot": "slot, currency",
    "insight_item_day": "item, day, currency",
    "insight_customer_day": "customer_id, day, currency",
    "insight_customer": "customer_id, currency, first_at, last_at",
}


def assert_true() -> None:
    """Compare each roll-up with plain SQL over the ledger."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                f"""SELECT {_COLUMNS[table]}, purchases, quantity, revenue FROM {table}
                WHERE version = (SELECT version FROM events_followercursor WHERE name = '{NAME}')"""
            )
            rolled = sorted(cursor.fetchall())
            cursor.execute(_SQL[table])
            assert rolled == sorted(cursor.fetchall()), table


@pytest.mark.django_db
def test_the_roll_ups_equal_the_ledger_also_for_what_is_recorded_late() -> None:
    some(150)
    follow_now()
    assert_true()
    assert verified() == []
    before = contents()
    some(1, seed=2, start=START - timedelta(days=800), days=1)
    follow_now()
    assert_true()
    after = contents()
    assert len(after["insight_slot"]) == len(before["insight_slot"]) + 1
    assert [row for row in before["insight_slot"] if row not in after["insight_slot"]] == []
    some(3, seed=3)
    # The ledger is read as far as the roll-ups have it.
    assert verified() == []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"UPDATE {table} SET quantity = quantity + 1 WHERE currency = 'JPY'")
            assert len(verified()) >= 2
            cursor.execute(f"UPDATE {table} SET quantity = quantity - 1 WHERE currency = 'JPY'")
        cursor.execute("DELETE FROM insight_customer")
        assert any("missing" in line for line in verified())


def verified() -> list[str]:
    """Return what ``verify_ledger`` finds wrong in the roll-ups."""
    return [line for check in CHECKS for line in check.find_broken(lambda text: None)]


@pytest.mark.django_db
def test_views_for_reports_have_the_figures_and_no_names() -> None:
    some(40)
    follow_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(purchases), sum(revenue) FROM reporting.sales_by_day")
        whole = cursor.fetchone()
        for view in ("quarter_hour", "item_and_day", "customer_and_day"):
            cursor.execute(f"SELECT sum(purchases), sum(revenue) FROM reporting.sales_by_{view}")
            assert cursor.fetchone() == whole
        cursor.execute("SELECT sum(purchases), sum(revenue) FROM reporting.customers")
        assert cursor.fetchone() == whole
        cursor.execute("SELECT count(*), sum(total) FROM reporting.purchases")
        assert cursor.fetchone() == whole == (40, whole[1])
        cursor.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns"
            " WHERE table_schema = 'reporting'"
        )
        columns = {row[0] for row in cursor.fetchall()}
    assert not {each for each in columns if re.search("name|mail|userid|key|digest", each)}
    documented = (ROOT / "docs" / "statistics.md").read_text()
    for each in columns:
        view, _, column = each.partition(".")
        (line,) = [one for one in documented.splitlines() if f"`reporting.{view}`" in one]
        assert f"`{column}`" in line


def follow_now() -> None:
    """Apply what waits, inside the test's transaction."""
    _make_row(FOLLOWER)
    with connection.cursor() as cursor:
        while True:
            row = FollowerCursor.objects.get(pk=NAME)
            until, more = _apply_batch(FOLLOWER, cursor, row.position, row.version)
            row.move_to(until)
            if not more:
                return


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_beside_readers_makes_identical_tables_and_one_swap() -> None:
    some(120)
    follow_all()
    first = contents()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statistics, "batch", 40)
        rebuild(FOLLOWER)
        steps = 0
        while FollowerCursor.objects.get(pk=NAME).next_version is not None:
            assert contents() == first
            some(1, seed=100 + steps, days=1)
            follow(FOLLOWER)
            first = contents()
            steps += 1
            assert steps < 50
        assert steps >= 3
        # An unfinished rebuild that begins once more leaves nothing of itself.
        rebuild(FOLLOWER)
        follow(FOLLOWER)
        rebuild(FOLLOWER)
        follow_all()
    assert leftovers() == 0
    assert contents() == first
    assert_true()
    assert FollowerCursor.objects.get(pk=NAME).has_leftovers is False


@pytest.mark.django_db(transaction=True)
def test_two_at_once_add_nothing_twice() -> None:
    some(30)
    follow_all()
    some(30, seed=3)
    with psycopg.connect(**own_connection_parameters()) as leader:
        leader.execute("SELECT FROM events_followercursor FOR UPDATE")
        with pytest.raises(StandingBy):
            follow(FOLLOWER)
    follow_all()
    follow_all()
    assert_true()


@pytest.mark.django_db(transaction=True)
def test_processes_that_are_killed_anywhere_lose_and_double_nothing(tmp_path: Path) -> None:
    parameters = {"port": "", "password": "", "host": "", **own_connection_parameters()}
    url = "postgresql:///{dbname}?host={host}&port={port}&user={user}&password={password}"
    environment = os.environ | {"DATABASE_URL": url.format_map(parameters)}
    command = [sys.executable, "manage.py", "follow", NAME]
    some(400)
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "log").open("wb") as log:
        # Both processes follow, and each is killed while purchases go on.
        patch.setattr(Statistics, "batch", 50)
        for round in range(2):
            started = [
                subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log) for _ in range(2)
            ]
            end = Event.objects.count() // 2
            wait_for_position(end)
            some(20, seed=round)
            for process in started:
                process.send_signal(signal.SIGKILL)
                process.wait()
            assert verified() == []
            some(5, seed=50 + round)
            rebuild(FOLLOWER)
            # A part of the rebuild is done by a process that dies, too.
            follow(FOLLOWER)
            assert verified() == []
    follow_all()
    assert_true()
    assert verified() == []
    assert leftovers() == 0


def wait_for_position(end: int) -> None:
    """Wait until the roll-ups are that far."""
    wait_for(lambda: position() >= end)


def position() -> int:
    """Return how far the roll-ups are."""
    row = FollowerCursor.objects.filter(pk=NAME).first()
    return row.position if row else 0
