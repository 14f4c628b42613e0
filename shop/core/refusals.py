"""Refusals at a pace: who is refused again and again is told so later each time.

A client that is refused in a millisecond asks again in the next, and a thousand of its connections
then have the event loop to themselves. So each holder is refused at once ``BURST`` times, and from
then on ``RATE`` times a second; a refusal waits ``MOST_SECONDS`` at most.
"""

import asyncio
import time
from typing import Any

STATUSES = frozenset({401, 413, 429})
CLOSE_CODES = frozenset({1013, 4400, 4401, 4403})
RATE = 20.0
BURST = 20
MOST_SECONDS = 5.0
_HOLDERS = 10_000


class Refusals:
    """When each holder is to be told next that it is refused."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def wait(self, holder: str, *, now: float | None = None) -> float:
        """Count a refusal of the holder; return after how many seconds to tell it."""
        moment = time.monotonic() if now is None else now
        at = max(self._next.pop(holder, 0.0), moment - BURST / RATE) + 1 / RATE
        if len(self._next) >= _HOLDERS:
            del self._next[next(iter(self._next))]
        # In the order in which they were last refused.
        self._next[holder] = min(at, moment + MOST_SECONDS)
        return max(0.0, min(at - moment, MOST_SECONDS))


refusals = Refusals()


def at_a_pace(holder: str, send: Any) -> Any:
    """Return an ASGI ``send`` that keeps back what tells the holder that it is refused."""

    async def send_in_time(message: Any) -> None:
        if message.get("status") in STATUSES or message.get("code") in CLOSE_CODES:
            await asyncio.sleep(refusals.wait(holder))
        await send(message)

    return send_in_time
