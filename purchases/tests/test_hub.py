"""A reader that does not keep up, by itself: what waits for it is bounded, and it is told 4408."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from accounts.access import Caller
from accounts.authentication import Credential
from purchases import hub as module
from purchases.hub import CLOSE_TOO_SLOW, QUEUE_FRAMES, Reader

JOE = Caller(1, "joe", "005", is_staff=False, is_client=False)


class _Socket:
    """A client that takes nothing until `reads` is set."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.taken: list[str] = []
        self.code: int | None = None

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.taken.append(text)

    async def close(self, code: int) -> None:
        self.code = code


def _with_reader(work: Callable[[_Socket, Reader], Awaitable[None]]) -> None:
    async def run() -> None:
        socket = _Socket()
        reader = Reader(
            caller=JOE,
            credential=Credential(token_digest="x"),
            everything=False,
            send=socket.send,
            close=socket.close,
        )
        await asyncio.sleep(0)
        try:
            await work(socket, reader)
        finally:
            reader.cancel()

    asyncio.run(run())


def test_too_many_frames_that_wait_close_the_socket() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        for _ in range(QUEUE_FRAMES + 10):
            reader.put("frame")
            assert reader._frames.qsize() <= QUEUE_FRAMES + 1
        await asyncio.sleep(0.05)
        assert socket.code == CLOSE_TOO_SLOW
        assert reader._frames.qsize() <= 1

    _with_reader(work)


def test_too_many_bytes_that_wait_close_the_socket() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        for _ in range(5):
            reader.put("x" * 400_000)
        await asyncio.sleep(0.05)
        assert socket.code == CLOSE_TOO_SLOW
        assert reader._queued_bytes == 0

    _with_reader(work)


def test_a_send_that_takes_too_long_closes_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)

    async def work(socket: _Socket, reader: Reader) -> None:
        reader.put("frame")
        await asyncio.sleep(0.2)
        assert socket.code == CLOSE_TOO_SLOW
        reader.put("another")
        assert not socket.taken

    _with_reader(work)


def test_a_reader_that_keeps_up_gets_every_frame_in_order() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        socket.reads.set()
        for number in range(1000):
            reader.put(str(number))
            if number % 100 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert socket.taken == [str(number) for number in range(1000)]
        assert socket.code is None

    _with_reader(work)
