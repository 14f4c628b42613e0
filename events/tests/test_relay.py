"""The order in which the relay numbers waiting events, and the dead rows that it leaves."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from events.numbering import BATCH, TURNS, Numbering
from events.relay import IDLE_SECONDS, LONGEST_IDLE_SECONDS, LONGEST_SECONDS, Pace
from shop.core.database import own_connection_parameters

_WRITE = """
INSERT INTO events_outbox (id, customer_id) SELECT uuidv7(), %s FROM generate_series(1, %s)
"""
HOG, ANN, JOE = 1, 2, 3


@contextlib.asynccontextmanager
async def _relay_and_writer() -> AsyncIterator[tuple[Any, Any]]:
    connect, parameters = psycopg.AsyncConnection.connect, own_connection_parameters()
    async with (
        await connect(**parameters, autocommit=True) as relay,
        await connect(**parameters, autocommit=True) as writer,
    ):
        yield relay, writer


async def _whose(numbering: Numbering, relay: Any) -> list[int | None]:
    """Number a batch; return whose events it has, in the order of their positions."""
    return [row.customer_id for row in await numbering.move(relay)]


async def _expect_each_once(relay: Any, count: int, *, in_order: bool = True) -> None:
    """Check the log; ``in_order`` says that each customer's events are in the order of writing."""
    cursor = await relay.execute("SELECT position, customer_id, id FROM events_event ORDER BY 1")
    rows = await cursor.fetchall()
    assert [row[0] for row in rows] == list(range(1, count + 1))
    assert len({row[2] for row in rows}) == count
    for customer in {row[1] for row in rows} if in_order else ():
        keys = [row[2] for row in rows if row[1] == customer]
        assert keys == sorted(keys)
    cursor = await relay.execute("SELECT count(*) FROM events_outbox")
    assert await cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
async def test_behind_an_upload_everybody_else_has_a_turn() -> None:
    async with _relay_and_writer() as (relay, writer):
        numbering = Numbering(0)
        await writer.execute(_WRITE, [HOG, 4 * BATCH + 10])
        await writer.execute(_WRITE, [ANN, 2])
        assert await _whose(numbering, relay) == [HOG] * BATCH
        numbered = await _whose(numbering, relay)
        assert (len(numbered), numbered.count(ANN)) == (TURNS, 2)
        # Who comes later has a turn in the next batch, however much waits.
        await writer.execute(_WRITE, [JOE, 1])
        await writer.execute(_WRITE, [HOG, 1])
        assert JOE in await _whose(numbering, relay)
        while numbering.left:
            await numbering.move(relay)
        assert await numbering.move(relay) == []
        await _expect_each_once(relay, 4 * BATCH + 14)


@pytest.mark.django_db(transaction=True)
async def test_a_backlog_larger_than_what_the_relay_remembers_is_numbered_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("events.numbering.REMEMBERED", 5 * TURNS)
    async with _relay_and_writer() as (relay, writer):
        numbering = Numbering(0)
        await writer.execute(_WRITE, [HOG, 8 * BATCH])
        await numbering.move(relay)
        later = 0
        while numbering.position < 6 * BATCH:
            await writer.execute(_WRITE, [ANN, 1])
            await writer.execute(_WRITE, [HOG, 1])
            later += 2
            await numbering.move(relay)
        while await numbering.move(relay) or numbering.left:
            pass
        await _expect_each_once(relay, 8 * BATCH + later)


@pytest.mark.django_db(transaction=True)
async def test_a_backlog_whose_table_is_rewritten_is_numbered_once() -> None:
    """VACUUM FULL moves the rows that the relay remembers."""
    async with _relay_and_writer() as (relay, writer):
        numbering = Numbering(0)
        await writer.execute(_WRITE, [HOG, 4 * BATCH])
        for _ in range(2):
            await numbering.move(relay)
        await writer.execute("VACUUM FULL events_outbox")
        await writer.execute(_WRITE, [ANN, 1])
        while await numbering.move(relay) or numbering.left:
            pass
        await _expect_each_once(relay, 4 * BATCH + 1, in_order=False)


@pytest.mark.django_db(transaction=True)
async def test_what_commits_late_is_found_behind_a_backlog() -> None:
    async with _relay_and_writer() as (relay, writer):
        async with await psycopg.AsyncConnection.connect(**own_connection_parameters()) as late:
            numbering = Numbering(0)
            await late.execute(_WRITE, [ANN, 1])
            await writer.execute(_WRITE, [HOG, 3 * BATCH])
            await numbering.move(relay)
            await numbering.move(relay)
            await late.commit()
            assert ANN in await _whose(numbering, relay)
            await late.execute(_WRITE, [JOE, 1])
            while await numbering.move(relay):
                pass
            await late.commit()
            assert await _whose(numbering, relay) == [JOE]
        await _expect_each_once(relay, 3 * BATCH + 2)


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
            f" SELECT ctid FROM events_outbox WHERE xid >= {numbering.unmoved.xid}"
            f" OR xid = ANY ('{{{','.join(map(str, numbering.unmoved.open))}}}'::bigint[])"
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
