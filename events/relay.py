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
from shop.core.garbage import collect_rarely
from shop.core.lookups import DatabaseThreads

logger = structlog.get_logger(__name__)

# The poll interval after seconds without an event. It grows to a thousandth of the silence, up to a
# limit, because each poll of a shop that sells nothing now is processor time for nothing.
IDLE_SECONDS = 0.02
LONGEST_IDLE_SECONDS = 0.1
IDLE_SHARE = 0.001
# The shortest and the longest poll interval while events come. The interval grows with the rate, so
# that few events are announced at once, and many share a frame.
SHORTEST_SECONDS = 0.005
LONGEST_SECONDS = 0.04
LONGEST_FROM_RATE = 200
HEARTBEAT_SECONDS = 1.0
STANDBY_SECONDS = 0.25
RECONNECT_SECONDS = 0.5
# How long the relay announces nothing after Valkey timed out. Each attempt would delay the
# numbering, and hubs that hear nothing read the log.
SILENCE_SECONDS = 5.0
# Every poll reads past the dead rows of moved events. After this many events the relay runs VACUUM,
# for this share of its time at most.
VACUUM_EVENTS = 5_000
VACUUM_SHARE = 0.02
VACUUM = f"VACUUM (SKIP_LOCKED, TRUNCATE off) {Outbox._meta.db_table}"


class Pace:
    """The relay's poll interval, adapted to the recent rate of events."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._at = self._last = time.monotonic()

    def found(self, events: int) -> float:
        """Count the events of one poll; return the seconds from its start to the next poll."""
        now = time.monotonic()
        # Events a second, as an exponentially decaying average.
        self._rate = self._rate * math.exp(self._at - now) + events
        self._at = now
        if events:
            self._last = now
        if self._rate < 0.01:
            return min(max(IDLE_SHARE * (now - self._last), IDLE_SECONDS), LONGEST_IDLE_SECONDS)
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
        collect_rarely()
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
            # All statements are short, so a long one is a fault.
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
                # While more events wait, the relay moves the next ones during this announcement.
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
        """Wait until all pending announcements are sent."""
        if self._telling is not None:
            await self._telling
            self._telling = None

    async def _tell(self, previous: int, rows: list[Row]) -> None:
        """Announce the events that were just numbered, in the order of their positions."""
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            if time.monotonic() >= self._silent_until:
                try:
                    events = await self._threads.run(_encoded, some)
                except Exception as error:
                    # The events are numbered; hubs that hear nothing read the log.
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
            # The announcement is only a hint: hubs that hear nothing read the log.
            logger.warning("relay.announcement_lost", reason=type(error).__name__)
            if isinstance(error, TimeoutError):
                self._silent_until = time.monotonic() + SILENCE_SECONDS


def _encoded(rows: list[Row]) -> list[Encoded]:
    return [encode(event) for event in present(rows)]
