"""Purchases that wait to be recorded, and their queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from uuid import uuid4

import msgspec
import structlog

from purchases.entries import Outcome
from purchases.validation import PurchaseInput
from shop.core.errors import OutcomeUnknown, Unavailable

logger = structlog.get_logger(__name__)

BATCH = 256
SHARE_MIN = 32


class PendingPurchase(msgspec.Struct, eq=False):
    """One purchase on its way through the queue; ``answer`` is called once, with its outcome.

    ``address`` returns that of the client.
    """

    digest: str
    purchase: PurchaseInput
    idempotency_key: str | None
    answer: Callable[[Outcome], None]
    address: Callable[[], str] = str
    deadline: float = 0.0
    # True while a statement with this purchase was sent and its result is unknown.
    uncertain: bool = False
    answered: bool = False
    counted: bool = False
    nonce: str | None = None

    def __post_init__(self) -> None:
        if self.idempotency_key is None and self.purchase.timestamp is None:
            self.nonce = uuid4().hex

    def settle(self, outcome: Outcome) -> None:
        """Give the answer, unless it was given before."""
        if not self.answered:
            self.answered = True
            # The callbacks are released now, because other code may keep the request for a while.
            answer, self.answer, self.address = self.answer, _ignore, str
            try:
                answer(outcome)
            except Exception:
                # The caller has other requests to answer.
                logger.exception("purchase.answer_failed")

    def give_up(self) -> None:
        """Answer "not recorded" or "outcome unknown", unless the request was answered."""
        if not self.answered:
            self.settle(OutcomeUnknown() if self.uncertain else Unavailable())


def _ignore(outcome: Outcome) -> None:
    """Do nothing, in place of an answer that was given."""


class Queue:
    """Requests that wait for writers, first come first served."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        self._requests: deque[PendingPurchase] = deque()
        self._wake = asyncio.Event()

    def put(self, *requests: PendingPurchase) -> None:
        """Add requests and wake the writers."""
        self._requests.extend(requests)
        self._wake.set()

    async def take(self) -> list[PendingPurchase]:
        """Wait for requests and return a writer's share of them, at most ``BATCH``.

        Skip a request past its deadline, because its client has the answer that nothing was
        recorded.
        """
        await self._wake.wait()
        requests = self._requests
        # A writer leaves the others their share of the queue. A writer that took all of it would
        # leave the processor idle until the commit, and would then have to answer everything at
        # once.
        share = min(BATCH, max(SHARE_MIN, len(requests) // self._writers))
        batch: list[PendingPurchase] = []
        while requests and len(batch) < share:
            request = requests.popleft()
            if not request.answered:
                batch.append(request)
        if not requests:
            self._wake.clear()
        return batch
