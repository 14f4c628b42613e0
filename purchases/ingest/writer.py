"""The fast path: one statement for a batch, over a connection of the event loop."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Hashable
from datetime import datetime

import psycopg
import structlog
from django.db import connection as django_connection

from accounts.access import may_record_for_anyone
from accounts.keys.usage import last_uses
from accounts.quotas import TooManyRequests, count_request
from purchases.commits import BATCH_LOCK_MILLISECONDS, is_held
from purchases.entries import KeyedEntry, KeyHeld, lane_of, recorded_row
from purchases.ingest.cache import AccountCache
from purchases.ingest.pending import PendingPurchase
from purchases.lanes import Lanes
from purchases.sql import INSERT_IF_STILL_SIGNED_IN, array, columns, text_array
from shop.core import replica
from shop.core.admission import account_holder
from shop.core.database import connect, in_time, is_lost
from shop.core.errors import OutcomeUnknown
from shop.core.outages import READ_ONLY, sqlstate
from shop.core.pace import asked

logger = structlog.get_logger(__name__)

# The writer gives up a statement after this time, while there is time for the slow path.
STATEMENT_SECONDS = 3.0
RECONNECT_SECONDS = 1.0
# How long a writer spends on splitting a batch that has met a lock.
APART_SECONDS = 0.5


def wait_in_lane(
    lanes: "Lanes[PendingPurchase]", cache: AccountCache, request: PendingPurchase
) -> None:
    """Put a request that has met a lock into its lane; answer it if the lane is full."""
    lane = cache.lane(request)
    lanes.met_lock(lane)
    if not lanes.put(lane, request):
        request.settle(OutcomeUnknown() if request.uncertain else KeyHeld())


class Writer:
    """The fast path: a connection of the event loop, and its one statement."""

    def __init__(self, cache: AccountCache, lanes: "Lanes[PendingPurchase]") -> None:
        self._cache = cache
        self._lanes = lanes
        self._connection: psycopg.AsyncConnection | None = None
        self._broken_until = 0.0

    async def close(self) -> None:
        """Close the connection, without waiting for a server that may hang."""
        if self._connection is not None:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await self._connection.close()
            self._connection = None

    async def write(self, batch: list[PendingPurchase]) -> list[PendingPurchase]:
        """Record and answer requests; return those that must take the slow path."""
        rows: list[KeyedEntry] = []
        left: list[PendingPurchase] = []
        keys: set[str] = set()
        any_apart = self._lanes.are_any_apart()
        for index, request in enumerate(batch):
            row = self._cache.row(index, request)
            if row is not None and any_apart and self._lanes.is_apart(lane_of(row.entry)):
                wait_in_lane(self._lanes, self._cache, request)
                continue
            # PostgreSQL may insert either of two rows with one key, so the statement gets only the
            # first.
            if row is None or row.dedupe_key in keys:
                left.append(request)
            elif not request.counted and (wait := count_request(row.entry.caller)):
                request.settle(TooManyRequests(wait))
            else:
                request.counted = True
                keys.add(row.dedupe_key)
                rows.append(row)
        if not rows:
            return left
        if time.monotonic() < self._broken_until:
            return [*left, *(batch[row.index] for row in rows)]
        return [*left, *await self._record(rows, batch)]

    async def _record(
        self, rows: list[KeyedEntry], batch: list[PendingPurchase]
    ) -> list[PendingPurchase]:
        """Record and answer rows; return the requests that must take the slow path."""
        for row in (rows[0], rows[-1]):
            asked.note(account_holder(row.entry.caller.id))
        try:
            recorded = await in_time(self._insert(rows, batch), STATEMENT_SECONDS)
        except (TimeoutError, psycopg.Error, OSError) as error:
            requests = [batch[row.index] for row in rows]
            lost = is_lost(error)
            if not lost:
                # PostgreSQL refused the statement, so nothing was recorded.
                for request in requests:
                    request.uncertain = False
            if lost or sqlstate(error) == READ_ONLY:
                # A demoted primary stays read-only, so the writer reconnects to its successor.
                logger.warning("purchase.fast_path_lost", reason=str(error).strip())
                await self.close()
                self._broken_until = time.monotonic() + RECONNECT_SECONDS
                return requests
            logger.info("purchase.fast_path_refused", reason=str(error).strip())
            return await self._apart(rows, batch) if is_held(error) else requests
        if replica.configured():
            # Write the replica marker before answering, so that the caller's next read sees this
            # purchase.
            await asyncio.to_thread(_note, {row.entry.caller.id for row in rows})
        left = []
        for row in rows:
            request = batch[row.index]
            found = recorded.pop(row.dedupe_key, None)
            if found is None:
                request.uncertain = False
                left.append(request)
            else:
                last_uses.note(request.digest, request.address)
                request.settle(recorded_row(row, *found))
        return left

    async def _apart(
        self, rows: list[KeyedEntry], batch: list[PendingPurchase]
    ) -> list[PendingPurchase]:
        """Record the rows of each lane in a statement of their own, after the batch met a lock.

        Rows that meet the lock again wait in their lane.
        """
        groups: defaultdict[Hashable, list[KeyedEntry]] = defaultdict(list)
        for row in rows:
            groups[lane_of(row.entry)].append(row)
        left: list[PendingPurchase] = []
        ends = time.monotonic() + APART_SECONDS
        for group in groups.values():
            if len(groups) == 1 or time.monotonic() > ends:
                for row in group:
                    wait_in_lane(self._lanes, self._cache, batch[row.index])
            else:
                left += await self._record(group, batch)
        return left

    async def _insert(
        self, rows: list[KeyedEntry], batch: list[PendingPurchase]
    ) -> dict[str, tuple[str, datetime]]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await _connect()
        # Some clients may have the answer by now that nothing was recorded.
        rows = [row for row in rows if not batch[row.index].answered]
        if not rows:
            return {}
        for row in rows:
            batch[row.index].uncertain = True
        callers = [row.entry.caller for row in rows]
        parameters = [
            *columns(rows),
            array([batch[row.index].digest for row in rows]),
            array(["t" if may_record_for_anyone(caller) else "f" for caller in callers]),
            text_array([row.username for row in rows]),
            text_array([row.userid for row in rows]),
        ]
        cursor = await connection.execute(INSERT_IF_STILL_SIGNED_IN, parameters, prepare=True)
        return {key: (id, at) for key, id, at in await cursor.fetchall()}


def _note(accounts: set[int]) -> None:
    try:
        replica.mark_write(accounts)
    finally:
        django_connection.close()


async def _connect() -> psycopg.AsyncConnection:
    # A batch that waits for a lock delays all its purchases, so the timeout is short and the writer
    # splits it. A generic plan is forced, because planning a small batch costs more than executing
    # it, and always gives the same plan.
    return await connect(
        options=f" -c lock_timeout={BATCH_LOCK_MILLISECONDS}ms -c timezone=UTC"
        " -c plan_cache_mode=force_generic_plan"
    )
