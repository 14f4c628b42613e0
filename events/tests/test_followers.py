"""Followers: each event is applied exactly once, whichever process dies."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from events.followers import IDLE_SECONDS, StandingBy, follow, rebuild
from events.lag import check_followers, collect_followers, lags
from events.models import Event, FollowerCursor
from events.services import emit
from events.tests.log import number
from events.tests.toy.followers import TABLE, SumFollower
from events.tests.toy.types import INVOICE, RESTARTED
from shop.core.database import own_connection_parameters
from shop.core.health import Unhealthy
from tests.system import ROOT, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("toy")]

FOLLOWER = SumFollower()


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE toy_sum")


def _emit(count: int, *, customer: int = 1, text: str = "A") -> None:
    with transaction.atomic():
        for _ in range(count):
            emit(INVOICE, customer=customer, data={"number": text, "total": "0.10"})
        emit(RESTARTED)
    with transaction.atomic():
        number(limit=count + 1)


def _sums() -> dict[int, tuple[int, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT customer_id, invoices, total FROM toy_sum")
        return {customer: (invoices, total) for customer, invoices, total in cursor.fetchall()}


def _position() -> int:
    row = FollowerCursor.objects.filter(pk=FOLLOWER.name).first()
    return row.position if row else 0


def _follow_all() -> None:
    for _ in range(100):
        if follow(FOLLOWER) == IDLE_SECONDS:
            return
    pytest.fail("The follower does not come to the end.")


def test_what_is_derived_moves_with_the_cursor() -> None:
    _emit(25)
    _follow_all()
    assert _sums() == {1: (25, Decimal("2.50"))}
    # The cursor also passes events of other types.
    assert _position() == 26
    _emit(3, customer=2)
    _follow_all()
    _follow_all()
    assert _sums() == {1: (25, Decimal("2.50")), 2: (3, Decimal("0.30"))}
    assert _position() == 30


def test_a_rebuild_equals_live_following() -> None:
    for customer in (1, 2, 1):
        _emit(7, customer=customer)
        _follow_all()
    live = _sums()
    call_command("follow", FOLLOWER.name, "--rebuild", stdout=io.StringIO())
    assert (_sums(), _position()) == ({}, 0)
    _follow_all()
    assert _sums() == live == {1: (14, Decimal("1.40")), 2: (7, Decimal("0.70"))}


def test_a_batch_that_cannot_be_applied_is_tried_again_and_never_passed_over() -> None:
    _emit(2)
    _follow_all()
    _emit(1, text="poison")
    _emit(2)
    assert follow(FOLLOWER) == 1
    # Any process that tries before the retry time waits.
    assert 0 < follow(FOLLOWER) <= 1
    assert _sums() == {1: (2, Decimal("0.20"))}
    for failures, seconds in ((2, 2), (3, 4), (4, 8)):
        FollowerCursor.objects.update(retry_at=timezone.now())
        assert follow(FOLLOWER) == seconds
        row = FollowerCursor.objects.get()
        assert (row.position, row.failures, row.reason) == (3, failures, "ValueError")
    assert _samples()["shop_follower_lag_events"] == 5
    assert _samples()["shop_follower_failures"] == 4
    check_followers()
    long_ago = timezone.now() - timedelta(seconds=90)
    FollowerCursor.objects.update(failing_since=long_ago)
    with pytest.raises(Unhealthy, match=r"toy\.sum lags by 5 events"):
        check_followers()
    _heal()
    _follow_all()
    assert _sums() == {1: (5, Decimal("0.50"))}
    row = FollowerCursor.objects.get()
    assert (row.failures, row.failing_since, row.retry_at) == (0, None, None)
    check_followers()


def _heal() -> None:
    """Correct the poison event, which only the owner of the table can do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            """UPDATE events_event SET payload = payload || '{"number": "A"}'
               WHERE payload ->> 'number' = 'poison'"""
        )
    FollowerCursor.objects.update(retry_at=timezone.now())


def _samples() -> dict[str, float]:
    return {family.name: family.samples[0].value for family in collect_followers()}


def test_a_follower_that_nobody_runs_is_noticed() -> None:
    check_followers()
    _emit(1)
    check_followers()
    assert lags()[0].events == 2
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE events_event SET at = at - interval '2 minutes'")
    with pytest.raises(Unhealthy):
        check_followers()
    _follow_all()
    check_followers()
    assert _samples()["shop_follower_lag_seconds"] == 0


def test_an_old_snapshot_stops_nothing() -> None:
    """An old open transaction that has written hides no event from followers."""
    with _other_connection() as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("INSERT INTO events_outbox (id, type) VALUES (uuidv7(), 30003)")
        _emit(12)
        _follow_all()
        assert _sums() == {1: (12, Decimal("1.20"))}
    number()


@contextlib.contextmanager
def _other_connection() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**own_connection_parameters()) as other:
        yield other


def test_who_has_not_the_lock_stands_by() -> None:
    _emit(3)
    _follow_all()
    _emit(3)
    with _other_connection() as leader:
        leader.execute("SELECT FROM events_followercursor FOR UPDATE")
        with pytest.raises(StandingBy):
            follow(FOLLOWER)
    _follow_all()
    assert _sums() == {1: (6, Decimal("0.60"))}


def test_names_are_those_of_declared_followers() -> None:
    with pytest.raises(CommandError, match="nobody"):
        call_command("follow", "nobody")
    with pytest.raises(CommandError, match="Name a follower"):
        call_command("follow", "--rebuild")


# --- Processes ---------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Return a function that starts a follower process; ``hold`` holds its batches."""
    parameters = own_connection_parameters()
    url = "postgresql:///{dbname}?host={host}&port={port}&user={user}&password={password}"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "events.tests.toy.settings",
        "DATABASE_URL": url.format_map({"port": "", "password": "", "host": "", **parameters}),
        "TOY_HOLD": str(tmp_path / "hold"),
    }
    started: list[subprocess.Popen[bytes]] = []

    def run() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "follow"]
        log = tmp_path / f"{len(started)}.log"
        with log.open("wb") as output:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=output))
        # The process logs that it leads or stands by; from then on it handles SIGTERM.
        wait_for(lambda: b"toy.sum" in log.read_bytes())
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_a_process_killed_between_apply_and_commit_loses_and_doubles_nothing(
    start: Callable[[], "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    hold, held = tmp_path / "hold", tmp_path / "hold.held"
    hold.touch()
    _emit(25)
    first = start()
    wait_for(lambda: held.exists() and held.read_text() == str(first.pid))
    # That process has applied the batch without a commit, so it is invisible, and no other process
    # leads.
    assert _sums() == {}
    with pytest.raises(StandingBy):
        follow(FOLLOWER)
    second = start()
    first.send_signal(signal.SIGKILL)
    first.wait()
    hold.unlink()
    wait_for(lambda: _position() == 26)
    assert _sums() == {1: (25, Decimal("2.50"))}
    assert second.poll() is None


def test_two_processes_share_the_work_and_end_cleanly(
    start: Callable[[], "subprocess.Popen[bytes]"],
) -> None:
    processes = [start(), start()]
    for _ in range(20):
        _emit(15)
        time.sleep(0.05)
    wait_for(lambda: _position() == Event.objects.count() == 320)
    assert _sums() == {1: (300, Decimal("30.00"))}
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(20) for process in processes] == [0, 0]


def test_a_rebuild_beside_a_running_process(
    start: Callable[[], "subprocess.Popen[bytes]"],
) -> None:
    _emit(12)
    start()
    wait_for(lambda: _position() == 13)
    rebuild(FOLLOWER)
    wait_for(lambda: _position() == 13)
    assert _sums() == {1: (12, Decimal("1.20"))}
