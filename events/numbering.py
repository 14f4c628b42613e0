"""The one statement that gives positions: it moves events from the outbox to the log."""

from dataclasses import dataclass, field
from typing import Any

import psycopg

from events.models import Event, Outbox
from events.representation import Row

BATCH = 500
BATCH_MAX = 10_000
# A backlog is numbered in this many batches, so that new events get a part of each.
BATCHES = 100

_OLDEST = "SELECT place FROM waiting ORDER BY id LIMIT %(limit)s"
# Customers take turns, each in its own order. So no customer's purchase waits until a whole upload
# of another customer is numbered.
_IN_TURN = """
SELECT place
FROM (
    SELECT place, id, row_number() OVER (PARTITION BY customer_id ORDER BY id) AS turn FROM waiting
) AS turns
ORDER BY turn, id LIMIT %(limit)s
"""
# The rows of any other transaction were moved before, or rolled back.
_MOVE = f"""
WITH waiting AS MATERIALIZED (
    SELECT ctid AS place, id, customer_id FROM {Outbox._meta.db_table}
    WHERE xid >= %(xid)s OR xid = ANY (%(open)s::bigint[])
), moved AS (
    DELETE FROM {Outbox._meta.db_table} WHERE ctid = ANY (ARRAY({{batch}}))
    RETURNING id, type, customer_id, recorder_id, payload
), numbered AS (
    INSERT INTO {Event._meta.db_table} (position, id, type, customer_id, recorder_id, payload, at)
    SELECT %(position)s + row_number() OVER (ORDER BY id), id, type, customer_id, recorder_id,
           payload, coalesce(uuid_extract_timestamp(id), now())
    FROM moved
    RETURNING position, id, type, customer_id, recorder_id, payload, at
)
SELECT position, id, type, customer_id, recorder_id, payload, at,
       CASE position WHEN %(position)s + 1 THEN ARRAY[
           (SELECT count(*) FROM waiting), pg_snapshot_xmax(pg_current_snapshot())::text::bigint
       ] || ARRAY(SELECT xid::text::bigint FROM pg_snapshot_xip(pg_current_snapshot()) AS xid) END
FROM numbered ORDER BY position
"""  # noqa: S608
MOVE_OLDEST = _MOVE.format(batch=_OLDEST)
MOVE_IN_TURN = _MOVE.format(batch=_IN_TURN)

# The plan must use the index on xid, because dead rows make the outbox much larger than the few
# live ones.
CONNECTION_OPTIONS = (
    " -c enable_seqscan=off -c max_parallel_workers_per_gather=0 -c jit=off"
    " -c plan_cache_mode=force_generic_plan -c work_mem=64MB"
)


@dataclass
class Numbering:
    """The last position, and the transactions whose events to look for.

    Only the transactions that were ``open`` when the relay last found the outbox empty, and those
    from ``xid`` on, may have events there. ``left`` counts events that were seen and not moved yet.
    """

    position: int
    xid: int = 0
    open: list[int] = field(default_factory=list)
    left: int = 0

    async def move(self, connection: "psycopg.AsyncConnection[Any]") -> list[Row]:
        """Give the next events their positions; return them, in order."""
        if self.left:
            statement, limit = MOVE_IN_TURN, min(max(BATCH, self.left // BATCHES), BATCH_MAX)
        else:
            statement, limit = MOVE_OLDEST, BATCH
        cursor = await connection.execute(
            statement,
            {"xid": self.xid, "open": self.open, "limit": limit, "position": self.position},
            prepare=True,
            # Text takes longer to parse, times and ids above all.
            binary=True,
        )
        found = await cursor.fetchall()
        if not found:
            self.left = 0
            return []
        waiting, xid, *still_open = found[0][-1]
        self.position = found[-1][0]
        self.left = waiting - len(found)
        if not self.left:
            self.xid, self.open = xid, still_open
        return [Row(*row[:7]) for row in found]
