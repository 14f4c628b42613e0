"""Heavy work gives way: what takes long rests for a multiple of its time while others are served.

One process serves everybody, and Python runs one thread at a time. So bulk uploads, exports and
whatever else takes long rest after each piece. They do so on one clock: however many of them there
are, together they work one second of ``1 + REST``. While nobody has asked for anything for
``NEAR_SECONDS``, nobody rests.

* A loop in a thread that computes calls :meth:`Pace.step`.
* A piece of work in a thread, such as a long statement, is done within :func:`work`.
* A coroutine awaits :func:`rested`.
* Whoever had a place in a room for its work leaves it by :func:`leave`.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shop.core.admission import Room

REST = 3.0
"""For how many seconds heavy work rests after each second of work."""
SLICE_SECONDS = 0.002
"""How long it works before it rests, so that a rest is longer than it takes to begin one."""
NEAR_SECONDS = 0.1
DEBT_SECONDS = 1.0
"""How long one rest is at most."""


class Asked:
    """When somebody has last asked for something, and when somebody else has."""

    def __init__(self) -> None:
        self._last = ("", 0.0)
        self._other = 0.0

    def note(self, holder: str) -> None:
        """Note that the holder asks for something, for which heavy work gives way."""
        last, at = self._last
        if holder != last:
            self._other = at
        self._last = (holder, time.monotonic())

    def lately(self, but: str = "") -> bool:
        """Return whether somebody has asked a moment ago, who is not ``but``."""
        last, at = self._last
        return time.monotonic() - (self._other if last == but else at) < NEAR_SECONDS


asked = Asked()
_lock = threading.Lock()
_free_at = 0.0


def rest_after(worked: float, but: str = "") -> float:
    """Return for how many seconds to rest now, after so many seconds of heavy work.

    ``but`` is the holder for whom it is done, who need not give way to itself.
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
    """The pace of one loop in one thread, by the processor time that the thread has taken."""

    def __init__(self) -> None:
        self._since = time.thread_time()

    def step(self) -> None:
        """Rest, if it is time to; called often, and always by the same thread."""
        worked = time.thread_time() - self._since
        if worked >= SLICE_SECONDS:
            time.sleep(rest_after(worked))
            self._since = time.thread_time()


@contextmanager
def work() -> Iterator[None]:
    """Rest after the block, which keeps Python or PostgreSQL at work for a while."""
    began = time.monotonic()
    yield
    time.sleep(rest_after(time.monotonic() - began))


def leave(room: Room, holder: str, worked: float) -> None:
    """Give a place back to the room; beside others, after a rest in which they have its work."""
    if asked.lately(but=holder):
        rest = min(worked * REST, DEBT_SECONDS)
        asyncio.get_running_loop().call_later(rest, room.give_back, holder)
    else:
        room.give_back(holder)


async def rested(worked: float, holder: str) -> None:
    """Rest after so many seconds of heavy work for the holder."""
    if rest := rest_after(worked, but=holder):
        await asyncio.sleep(rest)
