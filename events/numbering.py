"""The statements that give positions: they move events from the outbox to the log."""

import struct
from typing import Any, NamedTuple

import psycopg

from events.fair_queue import FairQueue
from events.models import Event, Outbox
from events.representation import Row

BATCH = 500
# What a batch of a backlog holds. A new event waits until the one under way has been moved.
TURNS = 200
# How many waiting events the relay remembers. Of a larger backlog these are the oldest; all others
# wait until they are numbered.
REMEMBERED = 500_000
PLACE = struct.Struct(">IH")
"""A place in the table (``tid``) as PostgreSQL sends it: the block, and the row in it."""

# The rows of any other transaction were moved or read before, or rolled back.
_WAITING = f"""
    SELECT ctid AS place, id, customer_id FROM {Outbox._meta.db_table}
    WHERE xid >= %(xid)s OR xid = ANY (%(open)s::bigint[])
"""  # noqa: S608
_XMAX = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_OPEN = "ARRAY(SELECT xid::text::bigint FROM pg_snapshot_xip(pg_current_snapshot()) AS xid)"
_READ = f"""
SELECT coalesce(array_agg(coalesce(customer_id, 0)), '{{}}'), coalesce(array_agg(place), '{{}}'),
       {_XMAX}, {_OPEN}
FROM ({_WAITING} ORDER BY id LIMIT %(limit)s) AS waiting
"""  # noqa: S608
_MOVE = f"""
WITH {{waiting}}moved AS (
    DELETE FROM {Outbox._meta.db_table} WHERE ctid = ANY ({{places}})
    RETURNING id, type, customer_id, recorder_id, payload
), numbered AS (
    INSERT INTO {Event._meta.db_table} (position, id, type, customer_id, recorder_id, payload, at)
    SELECT %(position)s + row_number() OVER (ORDER BY id), id, type, customer_id, recorder_id,
           payload, coalesce(uuid_extract_timestamp(id), now())
    FROM moved
    RETURNING position, id, type, customer_id, recorder_id, payload, at
)
SELECT position, id, type, customer_id, recorder_id, payload, at, {{seen}}
FROM numbered ORDER BY position
"""  # noqa: S608
_MOVE_THESE = _MOVE.format(waiting="", places="%(places)s::text[]::tid[]", seen="NULL")
# The first row also has the number of waiting events and the snapshot.
_SEEN = f"ARRAY[(SELECT count(*) FROM waiting), {_XMAX}] || {_OPEN}"  # noqa: S608
MOVE_OLDEST = _MOVE.format(
    waiting=f"waiting AS MATERIALIZED ({_WAITING}), ",
    places="ARRAY(SELECT place FROM waiting ORDER BY id LIMIT %(limit)s)",
    seen=f"CASE position WHEN %(position)s + 1 THEN {_SEEN} END",
)

# The plan must use the index on xid, because dead rows make the outbox much larger than the few
# live ones.
CONNECTION_OPTIONS = (
    " -c enable_seqscan=off -c max_parallel_workers_per_gather=0 -c jit=off"
    " -c plan_cache_mode=force_generic_plan -c work_mem=64MB"
)


class Transactions(NamedTuple):
    """Those from ``xid`` on, and some that were ``open`` before."""

    xid: int = 0
    open: list[int] = []


class Numbering:
    """The last position, and the events that wait for one.

    When more events wait than a batch holds, the relay remembers where they are, and customers take
    turns. So no customer's purchase waits until a whole upload of another customer is numbered.
    Meanwhile the relay reads only what is new.

    ``left`` says that events wait. Only transactions of ``unmoved`` may have written any.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.left = False
        self.unmoved = self._unread = Transactions()
        self._queue: FairQueue[bytes] = FairQueue()
        self._is_whole = True

    async def move(self, connection: "psycopg.AsyncConnection[Any]") -> list[Row]:
        """Give the next events their positions; return them, in order."""
        if not self.left:
            return await self._move_oldest(connection)
        # What is new of a customer must not overtake what the relay has not read yet.
        if self._is_whole:
            await self._read(connection)
        return await self._move_in_turn(connection)

    async def _move_oldest(self, connection: "psycopg.AsyncConnection[Any]") -> list[Row]:
        asked = {**self.unmoved._asdict(), "limit": BATCH, "position": self.position}
        found = await self._rows(connection, MOVE_OLDEST, asked)
        if found:
            waiting, *snapshot = found[0][-1]
            if waiting > len(found):
                self.left, self._is_whole, self._unread = True, True, self.unmoved
            else:
                self.unmoved = Transactions(snapshot[0], snapshot[1:])
        return self._numbered(found)

    async def _read(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        """Remember where the new events are."""
        limit = max(TURNS, REMEMBERED - len(self._queue))
        asked = {**self._unread._asdict(), "limit": limit}
        [(customers, places, xid, still_open)] = await self._rows(connection, _READ, asked)
        self._queue.put(customers, places)
        self._is_whole = len(places) < limit
        self._unread = Transactions(xid, still_open)

    async def _move_in_turn(self, connection: "psycopg.AsyncConnection[Any]") -> list[Row]:
        taken = map(PLACE.unpack, self._queue.take(TURNS))
        places = [f"({block},{row})" for block, row in taken]
        asked = {"places": places, "position": self.position}
        found = await self._rows(connection, _MOVE_THESE, asked)
        if len(found) < len(places):
            # Somebody has rewritten the table, so the rows are elsewhere. All are read again.
            self._queue.clear()
            self._is_whole = False
        if not self._queue:
            self.left = False
            if self._is_whole:
                self.unmoved = self._unread
        return self._numbered(found)

    async def _rows(
        self, connection: "psycopg.AsyncConnection[Any]", statement: str, values: dict[str, Any]
    ) -> list[Any]:
        # Text takes longer to parse, times and ids above all.
        cursor = await connection.execute(statement, values, prepare=True, binary=True)
        return await cursor.fetchall()

    def _numbered(self, found: list[Any]) -> list[Row]:
        if found:
            self.position = found[-1][0]
        return [Row(*row[:7]) for row in found]
