"""The sealer: many writers, several processes, and one that is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.health import check_sealing, collect_chain
from audit.models import Entry, Waiting
from audit.sealing import SEALING_LOCK, seal_next, seal_waiting
from audit.services import record
from audit.verification import verify
from shop.core.health import Unhealthy
from tests.system import ROOT, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, EACH = 64, 12


@pytest.fixture
def relay() -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Start processes that seal the entries of the tests' database."""
    parameters = connection.get_connection_params()
    url = "postgresql://{user}:{password}@/{dbname}?host={host}".format_map(
        {"password": "", "user": "", **parameters}
    )
    environment = os.environ | {"DATABASE_URL": url}
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "manage.py", "relay"]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _record(number: int) -> None:
    record("account.changed", object=f"account:{number}", actor_id=number)


def test_64_writers_and_a_killed_sealer_lose_and_double_nothing(
    relay: Callable[[], "subprocess.Popen[bytes]"],
) -> None:
    first, second = relay(), relay()
    late = threading.Event()

    def write(number: int) -> None:
        try:
            for turn in range(EACH):
                with transaction.atomic():
                    _record(number + 1)
                    if number == 0 and turn == 0:
                        # This transaction was begun before all others, and ends after most.
                        late.wait(60)
                    if turn == 1:
                        transaction.set_rollback(True)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(write, number) for number in range(WRITERS)]
        wait_for(lambda: Entry.objects.count() > WRITERS)
        first.send_signal(signal.SIGKILL)
        wait_for(lambda: Entry.objects.count() > 3 * WRITERS)
        before = Entry.objects.order_by("-seq").values_list("seq", flat=True)[0]
        late.set()
    for each in writing:
        each.result()
    wait_for(lambda: not Waiting.objects.exists())
    # An entry of a transaction that was rolled back does not exist.
    assert Counter(Entry.objects.values_list("actor_id", flat=True)) == {
        number + 1: EACH - 1 for number in range(WRITERS)
    }
    slow = Entry.objects.filter(actor_id=1).order_by("seq").first()
    assert slow is not None
    assert slow.seq > before
    verdict = verify()
    assert verdict.findings == []
    assert verdict.checked == verdict.head == WRITERS * (EACH - 1)
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0


def test_two_sealers_at_once_seal_each_entry_once() -> None:
    with transaction.atomic():
        _record(1)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEALING_LOCK])
        assert seal_waiting() == 0
        assert seal_next() > 0
        with other.cursor() as cursor:
            cursor.execute("ROLLBACK")
        assert seal_waiting() == 1
        assert seal_waiting() == 0
    finally:
        other.close()


def test_a_lag_is_seen() -> None:
    check_sealing()
    with transaction.atomic():
        _record(1)
    check_sealing()
    Waiting.objects.bulk_create(
        [Waiting(at=timezone.now() - timedelta(minutes=2), action="a.b", object="account:1")]
    )
    with pytest.raises(Unhealthy, match="2 entries wait to be sealed"):
        check_sealing()
    metrics = {family.name: family.samples[0].value for family in collect_chain()}
    assert metrics["shop_audit_entries"] == 0
    assert metrics["shop_audit_waiting"] == 2
    assert metrics["shop_audit_lag_seconds"] > 100
