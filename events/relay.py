"""The relay: numbers committed events in order and announces them.

Sequence numbers are not commit-ordered, so only one process gives positions, and only to events
that are already committed. A PostgreSQL advisory lock decides which process that is; it is held
by the same connection that numbers, so a relay that lost its connection has lost both.
"""

import asyncio
import math
import signal
import time
from typing import Any

import psycopg
import structlog

from events.channel import announce
from events.health import RELAY_LOCK
from events.models import Outbox
from events.numbering import BATCH, CONNECTION_OPTIONS, Numbering
from events.representation import Encoded, Row, encode, present
from events.selectors import LATEST_POSITION
from shop.core.database import own_connection_parameters
from shop.core.lookups import DatabaseThreads

logger = structlog.get_logger(__name__)

# How often a relay looks for events after seconds without any. The first one waits so long.
IDLE_SECONDS = 0.02
# The shortest and the longest time between two looks while events come. The more come, the longer
# it waits, so that events under load share frames and few events are told at once.
SHORTEST_SECONDS = 0.005
LONGEST_SECONDS = 0.04
LONGEST_FROM_RATE = 200
HEARTBEAT_SECONDS = 1.0
STANDBY_SECONDS = 0.25
RECONNECT_SECONDS = 0.5
# How long nothing is announced after Valkey did not take it in time: each try would hold up the
# numbering, and hubs that hear nothing read the table.
SILENCE_SECONDS = 5.0
# What was moved is dead weight in the outbox, where every look passes by it. So many events are
# worth a vacuum, which has this share of the time at most.
VACUUM_EVENTS = 5_000
VACUUM_SHARE = 0.02
VACUUM = f"VACUUM (SKIP_LOCKED, TRUNCATE off) {Outbox._meta.db_table}"


class Pace:
    """How long the relay rests between two looks, by how many events it has found of late."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._at = time.monotonic()

    def found(self, events: int) -> float:
        """Count what a look has found; return the seconds from its beginning to the next."""
        now = time.monotonic()
        # Events in a second, where each counts less the longer it is ago.
        self._rate = self._rate * math.exp(self._at - now) + events
        self._at = now
        if self._rate < 0.01:
            return IDLE_SECONDS
        wanted = LONGEST_SECONDS * self._rate / LONGEST_FROM_RATE
        return min(max(wanted, SHORTEST_SECONDS), LONGEST_SECONDS)


class Relay:
    """One relay process: stands by until it holds the lock, then numbers until it loses it."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._silent_until = 0.0
        self._telling: asyncio.Task[None] | None = None
        self._threads = DatabaseThreads(1, "relay")

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
            "options": "-c statement_timeout=30s -c timezone=UTC -c idle_session_timeout=0"
            + CONNECTION_OPTIONS,
        }
        async with await psycopg.AsyncConnection.connect(**parameters) as connection:
            if not await self._win(connection):
                return
            cursor = await connection.execute(LATEST_POSITION)
            row = await cursor.fetchone()
            position = int(row[0]) if row else 0
            logger.info("relay.leading", position=position)
            await self._number(connection, Numbering(position))

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

    async def _number(
        self, connection: "psycopg.AsyncConnection[Any]", numbering: Numbering
    ) -> None:
        announced = time.monotonic()
        moved, vacuum_at = 0, 0.0
        pace = Pace()
        while not self.stopping.is_set():
            started = time.monotonic()
            previous = numbering.position
            rows = await numbering.move(connection)
            if rows:
                # While more waits, the next events are moved as these are announced.
                await self._told()
                self._telling = asyncio.create_task(self._tell(previous, rows))
                if not numbering.left:
                    await self._told()
                announced = time.monotonic()
                moved += len(rows)
            elif started - announced > HEARTBEAT_SECONDS:
                await self._announce(previous, previous, [])
                announced = started
            if not numbering.left:
                rest = pace.found(len(rows)) - (time.monotonic() - started)
                await self._pause(max(0.0, rest))
            if moved >= VACUUM_EVENTS and time.monotonic() > vacuum_at:
                started = time.monotonic()
                await connection.execute(VACUUM)
                moved, vacuum_at = 0, started + (time.monotonic() - started) / VACUUM_SHARE
        await self._told()

    async def _told(self) -> None:
        """Wait until all that was to be announced is announced."""
        if self._telling is not None:
            await self._telling
            self._telling = None

    async def _tell(self, previous: int, rows: list[Row]) -> None:
        """Announce events that have just got their positions, in the order of these."""
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            if time.monotonic() >= self._silent_until:
                try:
                    events = await self._threads.run(_encoded, some)
                except Exception as error:
                    # They are numbered; hubs that are not told read the table.
                    logger.warning("relay.announcement_lost", reason=type(error).__name__)
                else:
                    await self._announce(previous, some[-1].position, events)
            previous = some[-1].position

    async def _announce(self, previous: int, position: int, events: list[Encoded]) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            await announce(previous, position, events)
        except Exception as error:
            # The announcement is only a hint: hubs that hear nothing read the table.
            logger.warning("relay.announcement_lost", reason=type(error).__name__)
            if isinstance(error, TimeoutError):
                self._silent_until = time.monotonic() + SILENCE_SECONDS


def _encoded(rows: list[Row]) -> list[Encoded]:
    return [encode(event) for event in present(rows)]
