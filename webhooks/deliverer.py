"""The deliverer: it sends what endpoints are owed, all of them at once, each in order.

It runs in the process of followers. Any number of processes share the endpoints, because each
claims those that it serves. The requests of one process share one event loop, and what they do in
the database a few threads.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import uuid4

import structlog
from django.db import connection
from django.utils import timezone

from shop.core.outages import is_outage
from webhooks import steps
from webhooks.addresses import URLNotAllowed, parse
from webhooks.outgoing import Outcome, send
from webhooks.signing import signature
from webhooks.steps import Claim, Prepared

logger = structlog.get_logger(__name__)

PLACES = {False: 128, True: 128}
"""Endpoints served at once: those that were well last, and those that failed."""
IDLE_SECONDS = 0.25
RETRY_SECONDS = 1.0
SKIP_SECONDS = 10.0
DATABASE_THREADS = 4
IN_A_ROW = 200
STOP_SECONDS = 20.0

T = TypeVar("T")


def deliver(stopping: threading.Event) -> None:
    """Deliver until the event is set. Requests under way come to their end first."""
    asyncio.run(Deliverer(stopping).run())


class Deliverer:
    """What one process claims and sends."""

    def __init__(self, stopping: threading.Event) -> None:
        self.holder = uuid4()
        self._stopping = stopping
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, "webhooks.database")
        self._serving: dict[asyncio.Task[None], bool] = {}
        self._skipped_at = 0.0

    async def run(self) -> None:
        """Claim and serve until the process ends."""
        try:
            while not self._stopping.is_set():
                await asyncio.sleep(await self._look())
            if self._serving:
                await asyncio.wait(self._serving, timeout=STOP_SECONDS)
            await self._in_database(lambda: steps.claims_release(self.holder))
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> float:
        """Claim endpoints as far as there are places; return in how many seconds to look again."""
        try:
            if self._skipped_at + SKIP_SECONDS < time.monotonic():
                self._skipped_at = time.monotonic()
                await self._in_database(steps.cursors_skip)
            for failing in PLACES:
                await self._claim(failing)
        except Exception as error:
            self._tell("webhooks.claim_failed", error)
            return RETRY_SECONDS
        return IDLE_SECONDS

    async def _claim(self, failing: bool) -> None:
        """Claim endpoints and begin to serve them."""
        free = PLACES[failing] - sum(each is failing for each in self._serving.values())
        if free <= 0:
            return
        claims = await self._in_database(
            lambda: steps.endpoints_claim(self.holder, failing=failing, limit=free)
        )
        for claim in claims:
            task = asyncio.create_task(self._serve(claim))
            self._serving[task] = failing
            task.add_done_callback(self._serving.pop)

    async def _serve(self, claim: Claim) -> None:
        """Send to one endpoint, one delivery after the other, until nothing is to be sent."""
        try:
            for _ in range(IN_A_ROW):
                if self._stopping.is_set():
                    return
                prepared = await self._in_database(lambda: steps.delivery_prepare(claim))
                if prepared is None or not await self._send(claim, prepared):
                    return
            await self._in_database(lambda: steps.claim_release(claim))
        except Exception as error:
            # The claim ends by itself, and the delivery stays as it was committed.
            self._tell("webhooks.serving_failed", error)

    async def _send(self, claim: Claim, prepared: Prepared) -> bool:
        at = timezone.now()
        outcome = await _request(prepared, int(at.timestamp()))
        log = logger.debug if outcome.is_taken else logger.info
        log(
            "webhook.sent",
            endpoint=str(claim.endpoint),
            delivery=str(prepared.delivery),
            status=outcome.status,
            error=outcome.error,
            milliseconds=outcome.milliseconds,
        )
        return await self._in_database(
            lambda: steps.attempt_note(claim, prepared.delivery, at, outcome)
        )

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _closing, work)

    @staticmethod
    def _tell(event: str, error: Exception) -> None:
        log = logger.warning if is_outage(error) else logger.exception
        log(event, reason=type(error).__name__)


async def _request(prepared: Prepared, timestamp: int) -> Outcome:
    id = str(prepared.delivery)
    try:
        target = parse(prepared.url)
    except URLNotAllowed:
        return Outcome(0, error="address_not_allowed")
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(
            prepared.secrets, id=id, timestamp=timestamp, body=prepared.body
        ),
    }
    return await send(target, headers=headers, body=prepared.body)


def _closing(work: Callable[[], T]) -> T:
    """Do work in a thread, and give the connection back to the pool."""
    try:
        return work()
    finally:
        connection.close()
