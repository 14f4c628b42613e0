"""The relay: numbers committed events in order and announces them.

Sequence numbers are not commit-ordered, so only one process gives positions, and only to events
that are already committed. A PostgreSQL advisory lock decides which process that is; it is held
by the same connection that numbers, so a relay that lost its connection has lost both.
"""

import asyncio
import signal
import time
from typing import Any

import psycopg
import structlog

from events.channel import announce
from events.health import RELAY_LOCK
from events.representation import encode_event, event_data
from events.selectors import LATEST_POSITION
from purchases.models import Event, Purchase
from purchases.representation import purchase_data
from shop.core.database import own_connection_parameters

logger = structlog.get_logger(__name__)

BATCH = 500
# Among so many events, those of every customer have their turn when more than a batch waits: behind
# an upload of one customer nobody else's purchase waits until all of it is numbered.
AHEAD = 20_000
# How often an idle relay looks for new events; this is the feed's added delay when idle.
POLL_SECONDS = 0.02
# The least time between two announcements, so that events under load share frames.
INTERVAL_SECONDS = 0.04
HEARTBEAT_SECONDS = 1.0
STANDBY_SECONDS = 0.25
RECONNECT_SECONDS = 0.5
# How long nothing is announced after Valkey did not take it in time: each try would hold up the
# numbering, and hubs that hear nothing read the table.
SILENCE_SECONDS = 5.0

_OLDEST = f"""
SELECT purchase_id FROM {Event._meta.db_table}
WHERE position IS NULL ORDER BY purchase_id LIMIT {BATCH}
"""  # noqa: S608
# Each customer in turn, in the customer's own order.
_IN_TURN = f"""
SELECT purchase_id
FROM (
    SELECT purchase_id, row_number() OVER (PARTITION BY customer_id ORDER BY purchase_id) AS turn
    FROM (
        SELECT purchase_id, customer_id FROM {Event._meta.db_table}
        WHERE position IS NULL ORDER BY purchase_id LIMIT {AHEAD}
    ) AS ahead
) AS turns
ORDER BY turn, purchase_id LIMIT {BATCH}
"""  # noqa: S608
_NUMBER = f"""
WITH waiting AS (
    SELECT purchase_id, row_number() OVER (ORDER BY purchase_id) AS place
    FROM ({{}}) AS batch
), numbered AS (
    UPDATE {Event._meta.db_table} AS event
    SET position = %s + waiting.place
    FROM waiting WHERE event.purchase_id = waiting.purchase_id
    RETURNING event.position, event.customer_id, event.purchase_id
)
SELECT numbered.position, numbered.customer_id, purchase.id, customer.username, customer.userid,
       purchase.item, purchase.quantity, purchase.price, purchase.currency,
       purchase."timestamp", purchase.received_at
FROM numbered
JOIN {Purchase._meta.db_table} AS purchase ON purchase.id = numbered.purchase_id
JOIN accounts_user AS customer ON customer.id = numbered.customer_id
ORDER BY numbered.position
"""  # noqa: S608
NUMBER_OLDEST = _NUMBER.format(_OLDEST)
NUMBER_IN_TURN = _NUMBER.format(_IN_TURN)


class Relay:
    """One relay process: stands by until it holds the lock, then numbers until it loses it."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._silent_until = 0.0

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; survive the loss of PostgreSQL and of Valkey."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        while not self.stopping.is_set():
            try:
                await self._lead()
            except psycopg.Error as error:
                logger.warning("relay.database_lost", reason=str(error).strip())
                await self._pause(RECONNECT_SECONDS)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _lead(self) -> None:
        parameters = own_connection_parameters() | {
            "autocommit": True,
            "application_name": "relay",
            # Statements are short, so a long one means that something is wrong.
            "options": "-c statement_timeout=30s -c timezone=UTC -c idle_session_timeout=0",
        }
        async with await psycopg.AsyncConnection.connect(**parameters) as connection:
            if not await self._win(connection):
                return
            cursor = await connection.execute(LATEST_POSITION)
            row = await cursor.fetchone()
            position = int(row[0]) if row else 0
            logger.info("relay.leading", position=position)
            await self._number(connection, position)

    async def _win(self, connection: psycopg.AsyncConnection) -> bool:
        standing_by = False
        while not self.stopping.is_set():
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [RELAY_LOCK])
            row = await cursor.fetchone()
            if row and row[0]:
                return True
            if not standing_by:
                standing_by = True
                logger.info("relay.standing_by")
            await self._pause(STANDBY_SECONDS)
        return False

    async def _number(self, connection: psycopg.AsyncConnection, position: int) -> None:
        announced = time.monotonic()
        rows: list[Any] = []
        while not self.stopping.is_set():
            started = time.monotonic()
            number = NUMBER_IN_TURN if len(rows) == BATCH else NUMBER_OLDEST
            cursor = await connection.execute(number, [position], prepare=True)
            rows = await cursor.fetchall()
            if rows:
                events = [
                    (row[0], row[1], encode_event(event_data(row[0], purchase_data(*row[2:]))))
                    for row in rows
                ]
                await self._announce(position, events[-1][0], events)
                position = events[-1][0]
                announced = time.monotonic()
                if len(rows) < BATCH:
                    await self._pause(max(0.0, INTERVAL_SECONDS - (announced - started)))
            else:
                if started - announced > HEARTBEAT_SECONDS:
                    await self._announce(position, position, [])
                    announced = started
                await self._pause(POLL_SECONDS)

    async def _announce(
        self, previous: int, position: int, events: list[tuple[int, int, str]]
    ) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            await announce(previous, position, events)
        except Exception as error:
            # The announcement is only a hint: hubs that hear nothing read the table.
            logger.warning("relay.announcement_lost", reason=type(error).__name__)
            if isinstance(error, TimeoutError):
                self._silent_until = time.monotonic() + SILENCE_SECONDS
