"""The engine: a bounded number of purchases, and the writers that record them in batches."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from purchases.entries import KeyHeld, Outcome, Recorded
from purchases.ingest.cache import AccountCache
from purchases.ingest.pending import PendingPurchase, Queue
from purchases.ingest.slow import Record, write_batch
from purchases.ingest.writer import Writer, wait_in_lane
from purchases.lanes import Lanes
from purchases.services import record_each, record_purchases
from purchases.validation import PurchaseInput
from shop.core import background
from shop.core.errors import ApplicationError, OutcomeUnknown, Unavailable
from shop.core.threads import Threads

QUEUE = 4000
# One batch is in PostgreSQL while the process parses and answers the other. More writers would make
# smaller batches, which take more processor time for each purchase.
WRITERS = 2
THREADS = 2
LANE_THREADS = 2
ANSWER_SECONDS = 5.5
SWEEP_SECONDS = 0.25


class Ingest:
    """A bounded number of purchases, and the writers that record each batch in a transaction.

    A purchase waits in the queue of the fast path first and then, if need be, of the slow path.
    """

    def __init__(self) -> None:
        self._fast = Queue(WRITERS)
        self._slow = Queue(THREADS)
        self._open: deque[PendingPurchase] = deque()
        self._unanswered = 0
        self._lanes: Lanes[PendingPurchase] = Lanes()
        self._cache = AccountCache()
        self._threads = Threads(THREADS, "ingest")
        self._lane_threads = Threads(LANE_THREADS, "ingest-lane")
        self._tasks: list[asyncio.Task[None]] = []
        self.closing = False

    def start(self) -> None:
        """Start the writers; each writes one batch at a time."""
        works = [self._write_fast] * WRITERS
        works += [self._write_slow] * THREADS
        works += [self._write_lane] * LANE_THREADS
        works += [self._sweep]
        self._tasks = [
            background.start(work, name=f"ingest.{work.__name__.strip('_')}") for work in works
        ]

    async def stop(self) -> None:
        """Answer all queued purchases, then stop."""
        self.closing = True
        deadline = time.monotonic() + 4
        while self._unanswered and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for request in self._open:
            request.give_up()

    def submit(self, request: PendingPurchase) -> None:
        """Queue a purchase; its ``answer`` is called after the commit, in this event loop.

        The answer may be any ``ApplicationError``: ``Unavailable`` where the queue is full or
        PostgreSQL does not answer in time, ``OutcomeUnknown`` where it may have recorded the
        purchase.
        """
        if self._unanswered >= QUEUE:
            request.settle(Unavailable())
            return
        give = request.answer

        def answer(outcome: Outcome) -> None:
            self._unanswered -= 1
            give(outcome)

        request.answer = answer
        request.deadline = time.monotonic() + ANSWER_SECONDS
        self._unanswered += 1
        self._open.append(request)
        self._fast.put(request)

    async def record(
        self,
        digest: str,
        purchase: PurchaseInput,
        idempotency_key: str | None,
        address: Callable[[], str] = str,
    ) -> Recorded:
        """Record one purchase in the next batch; return after the commit.

        Raise the purchase's own ``ApplicationError``, or ``Unavailable``.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        self.submit(PendingPurchase(digest, purchase, idempotency_key, settle, address))
        outcome = await answer
        if isinstance(outcome, ApplicationError):
            raise outcome
        return outcome

    async def _sweep(self) -> None:
        """Answer the requests past their deadlines; requests are in the order of these."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            opened = self._open
            while opened and (opened[0].answered or opened[0].deadline < now):
                opened.popleft().give_up()

    async def _write_fast(self) -> None:
        writer = Writer(self._cache, self._lanes)
        try:
            while True:
                if left := await writer.write(await self._fast.take()):
                    self._slow.put(*left)
        finally:
            await writer.close()

    async def _write_slow(self) -> None:
        while True:
            if not (batch := await self._slow.take()):
                continue
            for request, outcome in await self._outcomes(batch, record_purchases):
                if isinstance(outcome, KeyHeld):
                    wait_in_lane(self._lanes, self._cache, request)
                else:
                    request.settle(outcome)

    async def _write_lane(self) -> None:
        while True:
            lane, waiting = await self._lanes.take()
            try:
                batch = [request for request in waiting if not request.answered]
                for request, outcome in await self._outcomes(batch, record_each):
                    if isinstance(outcome, KeyHeld):
                        self._lanes.met_lock(lane)
                    request.settle(outcome)
            finally:
                self._lanes.done(lane)

    async def _outcomes(
        self, batch: list[PendingPurchase], record: Record
    ) -> list[tuple[PendingPurchase, Outcome]]:
        """Run a batch in a thread and return its outcomes; none of the requests is answered yet."""
        lost = [request.uncertain for request in batch]
        for request in batch:
            request.uncertain = True
        threads = self._threads if record is record_purchases else self._lane_threads
        outcomes = await threads.run(write_batch, batch, self._cache, record)
        found: list[tuple[PendingPurchase, Outcome]] = []
        for request, outcome, earlier in zip(batch, outcomes, lost, strict=True):
            if isinstance(outcome, KeyHeld):
                request.uncertain = earlier
            unknown = earlier and isinstance(outcome, Unavailable)
            held = isinstance(outcome, KeyHeld) and record is record_purchases
            found.append((request, OutcomeUnknown() if unknown and not held else outcome))
        return found


ingest = Ingest()
