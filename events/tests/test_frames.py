"""A frame is made once for all sockets that get the same events."""

import asyncio
import json
from typing import Any

import pytest

from accounts.access import Caller
from accounts.authentication import Credential
from accounts.permissions import ALL
from events import recipients as module
from events.hub import Hub
from events.reader import Frame, Reader
from events.representation import Encoded


async def _no_send(text: str) -> None:
    """Take any frame."""


async def _no_close(code: int) -> None:
    """Let the socket end."""


def _event(position: int, customer: int | None, type: int) -> Encoded:
    text = json.dumps({"position": position})
    return Encoded(position=position, customer_id=customer, text=text, type=type)


def test_readers_of_the_same_events_share_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Frame] = []

    def counted(*arguments: Any) -> Frame:
        made.append(frame(*arguments))
        return made[-1]

    frame = module.frame
    monkeypatch.setattr(module, "frame", counted)

    async def run() -> dict[str, list[int]]:
        hub = Hub()
        hub._started.set()
        readers: dict[str, Reader] = {}
        got: dict[str, list[Frame]] = {}
        for name, customer, everything, types in (
            ("all purchases", 1, True, {1}),
            ("all purchases too", 2, True, {1}),
            ("all of two types", 1, True, {1, 7}),
            ("my purchases", 3, False, {1}),
            ("my purchases too", 3, False, {1}),
            ("my other things", 3, False, {7}),
            ("somebody else", 4, False, {1, 7}),
        ):
            reader = readers[name] = Reader(
                caller=Caller(customer, str(customer), str(customer), int(ALL)),
                credential=Credential(token_digest=name),
                everything=everything,
                types=frozenset(types),
                send=_no_send,
                close=_no_close,
            )
            await hub.join(reader, 0)
            monkeypatch.setattr(reader, "put", lambda frame, name=name: got[name].append(frame))
            got[name] = []
        hub._deliver([_event(1, 3, 1), _event(2, 5, 7), _event(3, 3, 7), _event(4, None, 7)], 4)
        for reader in readers.values():
            hub.leave(reader)
        assert not hub._recipients
        return {
            name: [
                event["position"] for each in frames for event in json.loads(each.text)["events"]
            ]
            for name, frames in got.items()
        }

    assert asyncio.run(run()) == {
        "all purchases": [1],
        "all purchases too": [1],
        "all of two types": [1, 2, 3, 4],
        "my purchases": [1],
        "my purchases too": [1],
        "my other things": [3],
        "somebody else": [],
    }
    assert len(made) == 4
