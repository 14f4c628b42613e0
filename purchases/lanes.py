"""Lanes: what somebody's lock holds up waits here, apart from everything else.

A bulk request holds the keys of its lines until it commits, and whoever sends one of them alone has
to wait for it. In a batch that is shared by many accounts one such purchase would hold up all of
them. So whoever has met a lock goes through a lane of its own for a while. Lanes take turns, and
each has few places.
"""

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

PLACES = 32
"""How many may wait in one lane."""
TOTAL = 1000
"""How many may wait in all lanes."""
TURN = 4
"""How many of a lane are taken at once."""
APART_SECONDS = 10.0
"""How long a lane stays apart after a lock was last met in it."""
REMEMBERED = 10_000

Item = TypeVar("Item")


class Lanes(Generic[Item]):
    """Lanes by name, and which of them are apart now."""

    def __init__(self) -> None:
        self._apart_until: dict[Hashable, float] = {}
        self._last = 0.0
        # In the order in which the lanes have their turns.
        self._waiting: dict[Hashable, deque[Item]] = {}
        self._taken: set[Hashable] = set()
        self._count = 0
        self._wake = asyncio.Event()

    def are_any_apart(self) -> bool:
        """Return whether any lane is apart now, which costs next to nothing to ask."""
        return self._last > time.monotonic()

    def is_apart(self, lane: Hashable) -> bool:
        """Return whether what belongs to the lane has to go through it."""
        return self._apart_until.get(lane, 0.0) > time.monotonic()

    def met_lock(self, lane: Hashable) -> None:
        """Keep the lane apart from now on, for ``APART_SECONDS``."""
        now = time.monotonic()
        if len(self._apart_until) >= REMEMBERED:
            self._apart_until = {
                other: until for other, until in self._apart_until.items() if until > now
            }
        if len(self._apart_until) < REMEMBERED:
            self._apart_until[lane] = self._last = now + APART_SECONDS

    def put(self, lane: Hashable, item: Item) -> bool:
        """Let the item wait in the lane; return whether there was a place for it."""
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
        """Wait for the next lane and return it with its next items; call `done` with it then."""
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
            # Its next turn comes after everybody else's.
            self._waiting[lane] = waiting
        self._taken.add(lane)
        return lane, items

    def done(self, lane: Hashable) -> None:
        """Give the lane back after :meth:`take`."""
        self._taken.discard(lane)
        self._wake.set()
