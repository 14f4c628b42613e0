"""Repeated refusals are delayed; other holders are told at once."""

import asyncio
import time
from typing import Any

import pytest

from shop.core import refusals
from shop.core.refusals import BURST, MOST_SECONDS, RATE, Refusals, at_a_pace


def test_refusals_beyond_the_burst_wait_longer_and_longer() -> None:
    pace = Refusals()
    waits = [pace.wait("account:1", now=100.0) for _ in range(1000)]
    assert waits[:BURST] == [0.0] * BURST
    assert waits[BURST + 9] == pytest.approx(10 / RATE)
    assert max(waits) == MOST_SECONDS
    assert pace.wait("account:2", now=100.0) == 0.0
    assert pace.wait("account:1", now=100.0 + MOST_SECONDS + BURST / RATE) == 0.0


def test_no_more_holders_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "_HOLDERS", 10)
    pace = Refusals()
    for number in range(100):
        pace.wait(f"address:{number}", now=100.0)
    assert len(pace._next) == 10


@pytest.mark.parametrize(
    "refusal",
    [
        {"type": "http.response.start", "status": 429},
        {"type": "http.response.start", "status": 401},
        {"type": "websocket.close", "code": 4401},
    ],
)
def test_only_what_tells_of_a_refusal_waits(
    refusal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "refusals", Refusals())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def waited(message: Any) -> float:
        began = time.monotonic()
        await at_a_pace("account:1", send)(message)
        return time.monotonic() - began

    async def everything() -> tuple[list[float], float]:
        waits = await asyncio.gather(*(waited(refusal) for _ in range(BURST + 5)))
        return waits, await waited({"type": "http.response.start", "status": 200})

    waits, good = asyncio.run(everything())
    assert max(waits) > 4 / RATE > good
    assert len(sent) == BURST + 6
