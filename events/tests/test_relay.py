"""The order in which the relay numbers waiting events, and the dead rows that it leaves."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from events.models import Event, Outbox
from events.numbering import BATCH, MOVE_IN_TURN, MOVE_OLDEST, Numbering
from events.relay import IDLE_SECONDS, LONGEST_IDLE_SECONDS, LONGEST_SECONDS, Pace
from events.tests.log import number
from purchases.entries import Entry
from purchases.services import record_purchases
from purchases.validation import parse_purchase
from shop.core.database import own_connection_parameters


def _buy(name: str, count: int) -> None:
    user, _ = User.objects.get_or_create(username=name, userid=name)
    caller = Caller.of(user)
    record_purchases(
        [
            Entry(
                caller,
                parse_purchase({"item": f"{number}", "price": "1"}, now=timezone.now()),
                nonce=uuid4().hex,
            )
            for number in range(count)
        ]
    )


def _whose(statement: str) -> list[str]:
    """Number a batch; return whose events it has, in the order of their positions."""
    names = dict(User.objects.values_list("pk", "username"))
    return [names[row.customer_id or 0] for row in number(statement)]


@pytest.mark.django_db
def test_behind_an_upload_everybody_else_has_a_turn() -> None:
    _buy("hog", 2 * BATCH + 10)
    _buy("ann", 2)
    assert set(_whose(MOVE_OLDEST)) == {"hog"}
    numbered = _whose(MOVE_IN_TURN)
    assert numbered.count("ann") == 2
    assert len(numbered) == BATCH
    assert _whose(MOVE_IN_TURN) == ["hog"] * 12
    for name in ("hog", "ann"):
        events = Event.objects.filter(customer__username=name).order_by("position")
        keys = list(events.values_list("key", flat=True))
        assert keys == sorted(keys)
    positions = Event.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(1, 2 * BATCH + 13))
    assert not Outbox.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_what_commits_late_is_found_though_later_transactions_are_numbered() -> None:
    parameters = own_connection_parameters()
    insert = "INSERT INTO events_outbox (id) VALUES (uuidv7())"
    async with (
        await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as relay,
        await psycopg.AsyncConnection.connect(**parameters) as late,
        await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as other,
    ):
        numbering = Numbering(0)
        await late.execute(insert)
        for expected in range(1, 4):
            await other.execute(insert)
            assert [row.position for row in await numbering.move(relay)] == [expected]
        await late.commit()
        assert [row.position for row in await numbering.move(relay)] == [4]
        await late.execute(insert)
        await late.rollback()
        assert await numbering.move(relay) == []
        await other.execute(insert)
        assert [row.position for row in await numbering.move(relay)] == [5]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("begun", ["SELECT count(*) FROM events_outbox", "SELECT txid_current()"])
async def test_an_open_transaction_does_not_make_the_relay_read_moved_rows(
    begun: str,
) -> None:
    """The open transaction reads an old snapshot, or may still write."""
    parameters = own_connection_parameters()
    async with (
        await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as relay,
        await psycopg.AsyncConnection.connect(**parameters) as report,
        await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as other,
    ):
        await relay.execute("SET enable_seqscan = off")
        await report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await report.execute(begun)
        numbering = Numbering(0)
        for _ in range(30):
            await other.execute(
                "INSERT INTO events_outbox (id) SELECT uuidv7() FROM generate_series(1, 1000)"
            )
            while await numbering.move(relay):
                pass
        await other.execute("VACUUM (TRUNCATE off) events_outbox")
        await other.execute("INSERT INTO events_outbox (id) VALUES (uuidv7())")
        plan: Any = await relay.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT json)"
            f" SELECT ctid FROM events_outbox WHERE xid >= {numbering.xid}"
            f" OR xid = ANY ('{{{','.join(map(str, numbering.open))}}}'::bigint[])"
        )
        ((found,),) = await plan.fetchall()
        scan = found[0]["Plan"]
        assert scan["Actual Rows"] == 1
        read = scan["Shared Hit Blocks"] + scan["Shared Read Blocks"]
        size: Any = await relay.execute("SELECT pg_relation_size('events_outbox') / 8192")
        ((blocks,),) = await size.fetchall()
        assert blocks > 200
        assert read < blocks / 4


def test_the_relay_looks_often_while_few_events_come_and_seldom_for_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("events.relay.time.monotonic", lambda: clock[0])
    pace = Pace()

    def rest(rate: float, seconds: float = 5.0) -> float:
        """Return the poll interval after so many seconds at this rate of events."""
        end, due, seen = clock[0] + seconds, clock[0], 0.0
        while clock[0] < end:
            found = 0
            while rate and due < clock[0]:
                due += 1 / rate
                found += 1
            seen = pace.found(found)
            clock[0] += seen
        return seen

    assert pace.found(0) == IDLE_SECONDS
    assert rest(20) < 0.01
    assert 0.01 < rest(100) < 0.03
    assert rest(1000) == LONGEST_SECONDS
    assert rest(0, seconds=15) == IDLE_SECONDS
    assert IDLE_SECONDS < rest(0, seconds=35) < LONGEST_IDLE_SECONDS
    assert rest(0, seconds=3600) == LONGEST_IDLE_SECONDS
    assert rest(20) < 0.01
