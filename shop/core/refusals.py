"""Refusals at a pace: the more often a holder is refused, the later it is told.

A client that is refused within a millisecond asks again in the next. A thousand such connections
would take the whole event loop. So a holder is refused at once ``BURST`` times, and then ``RATE``
times a second. A refusal waits ``MOST_SECONDS`` at most.
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
    """When the next refusal of each holder may be sent."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def wait(self, holder: str, *, now: float | None = None) -> float:
        """Count a refusal of the holder. Return the seconds to wait before it is sent."""
        moment = time.monotonic() if now is None else now
        at = max(self._next.pop(holder, 0.0), moment - BURST / RATE) + 1 / RATE
        if len(self._next) >= _HOLDERS:
            del self._next[next(iter(self._next))]
        # In the order of the last refusals.
        self._next[holder] = min(at, moment + MOST_SECONDS)
        return max(0.0, min(at - moment, MOST_SECONDS))


refusals = Refusals()


def at_a_pace(holder: str, send: Any) -> Any:
    """Return an ASGI ``send`` that delays refusals of the holder."""

    async def send_in_time(message: Any) -> None:
        if message.get("status") in STATUSES or message.get("code") in CLOSE_CODES:
            await asyncio.sleep(refusals.wait(holder))
        await send(message)

    return send_in_time
