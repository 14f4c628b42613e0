"""A slow reader: its queue is bounded, and the hub closes it with 4408."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import websockets.frames

from accounts.access import Caller
from accounts.authentication import Credential
from accounts.permissions import CUSTOMER
from events import reader as module
from events.reader import CLOSE_TOO_SLOW, QUEUE_FRAMES, Frame, Reader
from shop.server.sockets import text_frame

JOE = Caller(1, "joe", "005", int(CUSTOMER))


class _Socket:
    """A client that takes nothing until `reads` is set."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.taken: list[str] = []
        self.code: int | None = None

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.taken.append(text)

    def send_frame(self, data: bytes) -> bool:
        """Take a short frame at once."""
        if self.reads.is_set():
            self.taken.append(data[2:].decode())
        return self.reads.is_set()

    async def close(self, code: int) -> None:
        self.code = code


def _with_reader(
    work: Callable[[_Socket, Reader], Awaitable[None]], *, at_once: bool = False
) -> None:
    async def run() -> None:
        socket = _Socket()
        reader = Reader(
            caller=JOE,
            credential=Credential(token_digest="x"),
            everything=False,
            types=frozenset({1}),
            send=socket.send,
            close=socket.close,
            send_frame=socket.send_frame if at_once else None,
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
            reader.put(Frame("frame"))
            assert reader._frames.qsize() <= QUEUE_FRAMES + 1
        await asyncio.sleep(0.05)
        assert socket.code == CLOSE_TOO_SLOW
        assert reader._frames.qsize() <= 1

    _with_reader(work)


def test_too_many_bytes_that_wait_close_the_socket() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        for _ in range(5):
            reader.put(Frame("x" * 400_000))
        await asyncio.sleep(0.05)
        assert socket.code == CLOSE_TOO_SLOW
        assert reader._queued_bytes == 0

    _with_reader(work)


def test_a_send_that_takes_too_long_closes_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)

    async def work(socket: _Socket, reader: Reader) -> None:
        reader.put(Frame("frame"))
        await asyncio.sleep(0.2)
        assert socket.code == CLOSE_TOO_SLOW
        reader.put(Frame("another"))
        assert not socket.taken

    _with_reader(work)


def test_a_frame_is_sent_at_once_but_never_before_queued_frames() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        socket.reads.set()
        reader.put(Frame("0"))
        assert socket.taken == ["0"]
        socket.reads.clear()
        reader.put(Frame("1"))
        # The frame is now being sent, and waits for the client.
        await asyncio.sleep(0)
        reader.put(Frame("2"))
        socket.reads.set()
        reader.put(Frame("3"))
        assert socket.taken == ["0"]
        while len(socket.taken) < 4 or reader._sending:
            await asyncio.sleep(0)
        reader.put(Frame("4"))
        assert socket.taken == ["0", "1", "2", "3", "4"]

    _with_reader(work, at_once=True)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_equals_that_of_the_websocket_library(size: int) -> None:
    text = "€" + "x" * (size - 3) if size else ""
    expected = websockets.frames.Frame(websockets.frames.Opcode.TEXT, text.encode())
    assert text_frame(text) == expected.serialize(mask=False)


def test_a_reader_that_keeps_up_gets_every_frame_in_order() -> None:
    async def work(socket: _Socket, reader: Reader) -> None:
        socket.reads.set()
        for number in range(1000):
            reader.put(Frame(str(number)))
            if number % 100 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert socket.taken == [str(number) for number in range(1000)]
        assert socket.code is None

    _with_reader(work)
