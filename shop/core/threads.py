"""Threads to which an event loop gives work."""

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any


class Threads:
    """A fixed number of daemon threads. One that hangs does not keep the process from ending."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._started = 0
        self._idle = 0
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Any, asyncio.Future[Any]]] = (
            queue.SimpleQueue()
        )

    def run(self, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        """Call the function in a thread. Return the future of its result, in this event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()
        self._work.put((lambda: context.run(function, *arguments), loop, future))
        if self._idle <= 0 and self._started < self._count:
            self._started += 1
            name = f"{self._name}-{self._started}"
            threading.Thread(target=self._take, name=name, daemon=True).start()
        else:
            self._idle -= 1
        return future

    def _take(self) -> None:
        while True:
            call, loop, future = self._work.get()
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:
                error = raised
            # The loop may have ended meanwhile, and then nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, future, result, error)
            del call, loop, future, result, error

    def _settle(self, future: "asyncio.Future[Any]", result: Any, error: Any) -> None:
        self._idle += 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
