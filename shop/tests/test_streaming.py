"""Long answers: complete, or a broken connection, whatever the client or the source does."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from shop.core import pace
from shop.core.admission import Room
from shop.core.errors import Unavailable
from shop.server import streaming
from shop.server.streaming import Streams

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"abc")]}


class Source:
    """Blocks, then perhaps an error. It records whether it was closed."""

    holder = "account:1"

    def __init__(self, blocks: int, error: Exception | None = None) -> None:
        self._blocks, self._error = blocks, error
        self.made = 0
        self.closed = False

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self._blocks):
                self.made += 1
                await asyncio.sleep(0)
                yield b"x" * 1000
            if self._error:
                raise self._error
        finally:
            self.closed = True

    def blocks_here(self) -> Any:
        raise AssertionError("There is an event loop.")


class Client:
    """What one client receives; ``reads`` says of each message whether it is ever read."""

    def __init__(self, reads: Callable[[int], bool] = lambda number: True) -> None:
        self._reads = reads
        self.left = asyncio.Event()
        self.messages: list[dict[str, Any]] = []
        self.aborted = False

    async def send(self, message: Any) -> None:
        if not self._reads(len(self.messages)):
            await asyncio.Event().wait()
        self.messages.append(message)

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def get(self, source: Source, room: Room = streaming.room) -> None:
        async def view(scope: Any, receive: Any, send: Any) -> None:
            scope["shop.streamed"].append((source, room))
            await send(START)
            await send({"type": "http.response.body", "body": b""})

        def abort() -> None:
            self.aborted = True

        extensions = {"shop.abort": {"abort": abort}}
        scope = {"type": "http", "method": "GET", "path": "/api/x", "extensions": extensions}
        await asyncio.wait_for(Streams(view)(scope, self.receive, self.send), 60)
        assert streaming.room.used == 0

    @property
    def complete(self) -> bool:
        last = self.messages[-1] if self.messages else {}
        return last.get("type") == "http.response.body" and not last.get("more_body", False)


class Timeless(asyncio.SelectorEventLoop):
    """An event loop in which nobody waits: its clock jumps to what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        ready = selector.select

        def jump(timeout: float | None = None) -> Any:
            self._now += timeout or 0.0
            return ready(0)

        selector.select = jump

    def time(self) -> float:
        return self._now


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget who asked in the test before, because streams rest for others."""
    monkeypatch.setattr(pace, "asked", pace.Asked())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return what runs a coroutine on a clock of its own, whatever the machine does meanwhile."""
    loop = Timeless()
    monkeypatch.setattr(streaming, "time", SimpleNamespace(monotonic=loop.time))

    def run(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(scenario)

    return run


def test_an_answer_is_sent_whole() -> None:
    async def scenario() -> None:
        client, source = Client(), Source(5)
        await client.get(source)
        assert client.complete
        assert not client.aborted
        assert source.closed
        assert sum(len(message.get("body", b"")) for message in client.messages) == 5000

    asyncio.run(scenario())


def test_an_outage_before_the_first_block_is_a_503_in_the_envelope() -> None:
    async def scenario() -> None:
        client = Client()
        await client.get(Source(0, Unavailable()))
        start, body = client.messages
        assert start["status"] == 503
        assert (b"x-request-id", b"abc") in start["headers"]
        assert json.loads(body["body"])["errors"][0]["code"] == "service_unavailable"

    asyncio.run(scenario())


def test_what_fails_half_way_is_broken_off() -> None:
    async def scenario() -> None:
        client = Client()
        await client.get(Source(3, RuntimeError("the database is gone")))
        assert client.aborted
        assert not client.complete
        assert client.messages[0]["status"] == 200

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_broken_off(run: Any) -> None:
    async def scenario() -> None:
        client, source = Client(lambda number: number < 3), Source(1000)
        await client.get(source)
        assert client.aborted
        assert not client.complete
        assert source.closed
        assert source.made <= 3

    run(scenario())


def test_a_client_that_reads_a_little_now_and_then_is_broken_off(run: Any) -> None:
    async def scenario() -> None:
        client, source = Client(), Source(1000)

        async def slowly(message: Any) -> None:
            await asyncio.sleep(3)
            client.messages.append(message)

        client.send = slowly  # type: ignore[method-assign]
        await client.get(source)
        assert client.aborted
        assert source.closed
        # It has read ten blocks of 1 000 bytes when its 30 seconds end.
        assert source.made == 11

    run(scenario())


def test_a_client_that_leaves_ends_the_source(run: Any) -> None:
    async def scenario() -> None:
        client, source = Client(lambda number: number < 3), Source(1000)
        asyncio.get_running_loop().call_later(0.05, client.left.set)
        await client.get(source)
        assert source.closed
        assert not client.aborted
        assert source.made <= 3

    run(scenario())


def test_sources_that_wait_take_no_place_from_those_that_work() -> None:
    async def scenario() -> None:
        room = Room("test-waits", total=20, share=12)
        waits = [Client(reads=lambda number: False) for _ in range(12)]
        waiting = [asyncio.create_task(one.get(Source(1), room)) for one in waits]
        while room.used < 12:
            await asyncio.sleep(0)
        client, one_more = Client(), Client()
        await client.get(Source(5))
        assert client.complete
        await one_more.get(Source(5), room)
        assert one_more.messages[0]["status"] == 429
        for one in waits:
            one.left.set()
        await asyncio.gather(*waiting)
        assert room.used == 0

    asyncio.run(scenario())
