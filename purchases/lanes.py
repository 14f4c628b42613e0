"""Lanes: purchases that meet a lock wait here, apart from all others.

A bulk request locks the keys of its lines until it commits. A client that sends one of these lines
alone has to wait for it. In a batch of many accounts, one such purchase would delay all of them. So
the purchases of a caller and customer that met a lock use a lane of their own for a while. Lanes
take turns, and each has few places.
"""

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

PLACES = 32
"""Places in one lane."""
TOTAL = 1000
"""Places in all lanes together."""
TURN = 4
"""Items that a lane gives at its turn."""
APART_SECONDS = 10.0
"""How long a lane stays separate after its last lock."""
REMEMBERED = 10_000

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """Lanes by name, and which of them are separate now."""

    def __init__(self) -> None:
        self._apart_until: dict[Hashable, float] = {}
        self._last = 0.0
        # Lanes in the order of their turns.
        self._waiting: dict[Hashable, deque[Item]] = {}
        self._taken: set[Hashable] = set()
        self._count = 0
        self._wake = asyncio.Event()

    def are_any_apart(self) -> bool:
        """Return whether any lane is separate now; the check costs almost nothing."""
        return self._last > time.monotonic()

    def is_apart(self, lane: Hashable) -> bool:
        """Return whether the lane's purchases must wait in it."""
        return self._apart_until.get(lane, 0.0) > time.monotonic()

    def met_lock(self, lane: Hashable) -> None:
        """Keep the lane separate for ``APART_SECONDS`` from now on."""
        now = time.monotonic()
        if len(self._apart_until) >= REMEMBERED:
            self._apart_until = {
                other: until for other, until in self._apart_until.items() if until > now
            }
        if len(self._apart_until) < REMEMBERED:
            self._apart_until[lane] = self._last = now + APART_SECONDS

    def put(self, lane: Hashable, item: Item) -> bool:
        """Add the item to the lane; return whether there was a place for it."""
        waiting = self._waiting.get(lane)
        if self._count >= TOTAL or (waiting is not None and len(waiting) >= PLACES):
            return False
        if waiting is None:
            waiting = self._waiting[lane] = deque()
        waiting.append(item)
        self._count += 1
        self._wake.set()
        return True

    async def take(self) -> tuple[Hashable, list[Item]]:
        """Wait for the next lane and return it with its next items; `done` must follow."""
        while True:
            lane = next((lane for lane in self._waiting if lane not in self._taken), None)
            if lane is not None:
                break
            self._wake.clear()
            await self._wake.wait()
        waiting = self._waiting.pop(lane)
        items = [waiting.popleft() for _ in range(min(TURN, len(waiting)))]
        self._count -= len(items)
        if waiting:
            # Its next turn comes after those of all other lanes.
            self._waiting[lane] = waiting
        self._taken.add(lane)
        return lane, items

    def done(self, lane: Hashable) -> None:
        """Give the lane back after :meth:`take`."""
        self._taken.discard(lane)
        self._wake.set()
