"""Database work for the event loop, in threads that do nothing else.

Each kind of work has threads of its own, so that one kind never keeps another waiting. A connection
goes back to the pool as soon as its work is done.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from django.db import connection

from shop.core.admission import Room
from shop.core.errors import Unavailable
from shop.core.threads import Threads

ANSWER_SECONDS = 4.5
"""Seconds that a client waits for a look-up. Finding its holder may have taken one more."""
BATCH = 200

Key = TypeVar("Key")
Value = TypeVar("Value")


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Raise ``Unavailable`` if the block takes longer than ``ANSWER_SECONDS``."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise Unavailable() from None


def _with_connection(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return work(*args, **kwargs)
    finally:
        connection.close()


class DatabaseThreads:
    """Threads for synchronous database work, one piece at a time in each."""

    def __init__(self, count: int, name: str) -> None:
        self._threads = Threads(count, name)

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """Return the future of the result of ``work``."""
        return self._threads.run(lambda: _with_connection(work, *args, **kwargs))


class SharedThreads:
    """Threads for the work of clients, of which no holder gets all."""

    def __init__(self, count: int, name: str) -> None:
        self._threads = DatabaseThreads(count, name)
        self._room = Room(
            name,
            total=count,
            share=max(1, count - 1),
            waiting=1000,
            waiting_share=100,
            seconds=2.0,
        )

    async def run(self, holder: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the result of ``work`` in a thread, after waiting for one if necessary.

        Raise what ``work`` raises. Raise ``ShareUsedUp`` if too much of the holder waits, and
        ``Unavailable`` if there is no thread, or no result, in time.
        """
        async with _in_time():
            await self._room.enter(holder)
            done = self._threads.run(work, *args, **kwargs)
            # The place is held as long as the thread works, even if its client has left.
            done.add_done_callback(lambda _: self._room.give_back(holder))
            return await asyncio.shield(done)


class SharedLookup(Generic[Key, Value]):
    """Concurrent look-ups share one query, and one query runs at a time.

    ``work`` takes keys, and returns what it has found by key. The query that answers a look-up
    always begins after it.
    """

    def __init__(self, name: str, work: Callable[[Collection[Key]], Mapping[Key, Value]]) -> None:
        self._work = work
        self._threads = DatabaseThreads(1, name)
        self._room = Room(name, total=10_000, share=1000)
        self._coming: dict[Key, asyncio.Future[Value | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, holder: str, key: Key) -> Value | None:
        """Return what was found by the key, or ``None``.

        Raise what ``work`` raises. Raise ``ShareUsedUp`` if the holder asks for too much at once,
        and ``Unavailable`` if there is no answer in time.
        """
        with self._room.place(holder):
            async with _in_time():
                future = self._coming.get(key)
                if future is None:
                    future = self._coming[key] = asyncio.get_running_loop().create_future()
                if self._asking is None or self._asking.done():
                    self._asking = asyncio.create_task(self._ask())
                return await asyncio.shield(future)

    async def _ask(self) -> None:
        while self._coming:
            keys = list(self._coming)[:BATCH]
            futures = {key: self._coming.pop(key) for key in keys}
            try:
                found = await self._threads.run(self._work, keys)
            except Exception as error:
                for future in futures.values():
                    future.set_exception(error)
                    # The client may have left.
                    future.exception()
            else:
                for key, future in futures.items():
                    future.set_result(found.get(key))
