"""Lines get into the database soon, once, and never at the cost of who logs."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from logs import shipper as module
from logs.models import Entry
from logs.shipper import BYTES_MAX, LINES_MAX, Shipper
from shop.core import logs
from shop.core.process import Process

pytestmark = pytest.mark.django_db(transaction=True)
WEB = Process("web")


@pytest.fixture
def shipper(monkeypatch: pytest.MonkeyPatch) -> Shipper:
    """Return a queue that gets what our handler writes."""
    one = Shipper()
    monkeypatch.setattr(logs, "copies", [one.put])
    return one


def _event(**fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {
        "timestamp": now, "level": "info", "logger": "shop.canary", "event": "canary.sung",
    } | fields  # fmt: skip


def test_each_line_is_stored_once_with_what_it_says(
    shipper: Shipper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipper.put(_event(level="debug", request_id="abc", user_id=7, purchase_id="p-1"), 100)
    shipper.put(_event(event="a foreign text", level="warning", logger="kombu"), 100)
    trace = "Traceback (most recent call last):\n  File\nValueError: no \\u0000"
    shipper.put(_event(event="canary.died", level="error", exception=trace), 100)
    # The answer is lost, so the same lines are sent again.
    insert = module._insert

    def lost(rows: Any) -> None:
        insert(rows)
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_insert", lost)
        assert shipper.ship(WEB) > 0
        assert shipper.queued == 3
    # The rollback of somebody's transaction is not that of the lines.
    with transaction.atomic():
        shipper.put(_event(event="canary.rolled_back"), 100)
        transaction.set_rollback(True)
    shipper.ship(Process("task", id=WEB.id))
    assert shipper.queued == shipper.dropped == 0
    rows = {row.event or row.message: row for row in Entry.objects.all()}
    assert len(rows) == Entry.objects.count() == 4
    # A worker's children are no part of their own.
    assert rows["canary.rolled_back"].part == "worker"
    sung, died = rows["canary.sung"], rows["canary.died"]
    assert (sung.kept, sung.level, sung.part, sung.instance) == (
        "debug", logging.DEBUG, "web", str(WEB.id),
    )  # fmt: skip
    assert (sung.request_id, sung.user_id, sung.fields) == ("abc", 7, {"purchase_id": "p-1"})
    assert (rows["a foreign text"].kept, rows["a foreign text"].event) == ("warning", "")
    assert (died.message, died.fields) == ("ValueError: no \\u0000", {"exception": trace})


def test_an_outage_costs_nobody_a_wait_and_what_is_dropped_is_said(
    shipper: Shipper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(rows: Any) -> None:
        # What a failure logs does not come back, from our shipper or from its pool.
        shipper.put(_event(logger="django.db"), 10)
        shipper.put(_event(logger="psycopg.pool", level="warning"), 10)
        raise OperationalError("away")

    with monkeypatch.context() as patch, caplog.at_level("WARNING", "logs.shipper"):
        patch.setattr(module, "_insert", away)
        for _ in range(LINES_MAX + 1000):
            shipper.put(_event(), 100)
        # The last places are for what is worth more.
        assert shipper.queued == LINES_MAX * 0.8
        for _ in range(5):
            shipper.ship(WEB)
        shipper.put(_event(event="canary.warned", level="warning"), 100)
        shipper.put(_event(event="canary.large", level="error"), BYTES_MAX)
        said = [record for record in caplog.records if record.name == "logs.shipper"]
        assert len(said) == 1
    assert (shipper.queued, shipper.dropped) == (LINES_MAX * 0.8 + 1, 3001)
    shipper.ship(WEB)
    assert Entry.objects.count() == LINES_MAX * 0.8 + 1
    assert Entry.objects.filter(event="canary.warned").exists()
    assert shipper.dropped == 3001


def test_a_line_that_the_database_refuses_stops_no_other(shipper: Shipper) -> None:
    shipper.put(_event(event="canary.first"), 10)
    # No partition may be made so far ahead.
    shipper.put(_event(event="canary.far", timestamp="2199-01-01T00:00:00Z"), 10)
    shipper.put(_event(event="canary.huge", user_id=1 << 80), 10)
    # A clock that is wrong by days gets its partition.
    shipper.put(_event(event="canary.late", timestamp="2026-10-01T00:00:00Z"), 10)
    shipper.ship(WEB)
    events = set(Entry.objects.values_list("event", flat=True))
    assert events == {"canary.first", "canary.late"}
    assert shipper.dropped == 2
    # That is a line, too.
    shipper.ship(WEB)
    assert Entry.objects.get(event="logs.dropped").fields == {"lines": 2}
    assert shipper.queued == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('partitions.logs_entry_info_20261001')")
        assert cursor.fetchone() != (None,)
