"""Heavy work gives way: it rests for a multiple of its time while others are served.

One process serves everybody, and Python runs one thread at a time. So bulk uploads, exports and
other heavy work rest after each piece. All of them share one clock: together they work one second
out of ``1 + REST``. They rest only if another client has asked for something within
``NEAR_SECONDS``.

* A computing loop in a thread calls ``Pace.step``.
* A long piece of work in a thread, such as a long statement, runs within ``work``.
* A coroutine awaits ``rested``.
* Work that held a place in a room leaves the room by ``leave``.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shop.core.admission import Room

REST = 6.0
"""Seconds that heavy work rests after each second of work."""
SLICE_SECONDS = 0.002
"""Seconds of work between two rests, so that a rest is longer than the effort to begin it."""
NEAR_SECONDS = 0.1
DEBT_SECONDS = 1.0
"""The longest rest in seconds."""


class Asked:
    """Who asked last and when, and when another holder did."""

    def __init__(self) -> None:
        self._last = ("", 0.0)
        self._other = 0.0

    def note(self, holder: str) -> None:
        """Note that the holder asks for something, so that heavy work gives way."""
        last, at = self._last
        if holder != last:
            self._other = at
        self._last = (holder, time.monotonic())

    def lately(self, but: str = "") -> bool:
        """Return whether a holder other than ``but`` has asked within ``NEAR_SECONDS``."""
        last, at = self._last
        return time.monotonic() - (self._other if last == but else at) < NEAR_SECONDS


asked = Asked()
_lock = threading.Lock()
_free_at = 0.0


def rest_after(worked: float, but: str = "") -> float:
    """Return the seconds to rest after so many seconds of heavy work.

    ``but`` is the holder of that work, which need not give way to itself.
    """
    global _free_at
    if not asked.lately(but):
        return 0.0
    now = time.monotonic()
    with _lock:
        began = max(_free_at, now - worked)
        _free_at = min(began + worked * (1 + REST), now + DEBT_SECONDS)
        return max(0.0, _free_at - now)


class Pace:
    """The pace of one loop in one thread, measured by the thread's processor time."""

    def __init__(self) -> None:
        self._since = time.thread_time()

    def step(self) -> None:
        """Rest if it is time to. The same thread must always call this, and often."""
        worked = time.thread_time() - self._since
        if worked >= SLICE_SECONDS:
            time.sleep(rest_after(worked))
            self._since = time.thread_time()


@contextmanager
def work() -> Iterator[None]:
    """Rest after the block, which occupies Python or PostgreSQL for a while."""
    began = time.monotonic()
    yield
    time.sleep(rest_after(time.monotonic() - began))


def leave(room: Room, holder: str, worked: float) -> None:
    """Give a place back to the room. If others wait, rest before, so that they get the time."""
    if asked.lately(but=holder):
        rest = min(worked * REST, DEBT_SECONDS)
        asyncio.get_running_loop().call_later(rest, room.give_back, holder)
    else:
        room.give_back(holder)


async def rested(worked: float, holder: str) -> None:
    """Rest after so many seconds of heavy work of the holder."""
    if rest := rest_after(worked, but=holder):
        await asyncio.sleep(rest)
