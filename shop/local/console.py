"""What the supervisor prints: whole lines, each behind the name of its process."""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import sys
import threading
import time

POLL = 0.02
"""Seconds between two tries to write to a terminal that is full."""
LINE_MAX_BYTES = 65_536
"""A longer line is printed in parts."""
QUEUE_MAX_BYTES = 4_000_000
"""What waits to be printed; lines beyond it are dropped."""


class Console:
    """Writes whole lines, each behind the name of the process it comes from.

    A thread writes, because a terminal that stands still must stop neither the supervisor nor the
    processes. Lines that do not fit into the queue are dropped, and their number is printed.
    """

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names))
        self._colours = {name: 31 + index % 6 for index, name in enumerate(sorted(names), 1)}
        self._tty = sys.stdout.isatty()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._queued = self._written = self._dropped = 0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def line(self, name: str, text: bytes) -> None:
        """Print one line of the process ``name``."""
        prefix = f"{name:<{self._width}} | "
        if self._tty:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.raw(prefix.encode() + text + b"\n")

    def say(self, text: str) -> None:
        """Print one line of the supervisor."""
        self.line("shop", text.encode())

    def raw(self, text: bytes) -> None:
        """Print ``text`` as it is."""
        if self._queued - self._written > QUEUE_MAX_BYTES:
            self._dropped += 1
            return
        if self._dropped:
            text = b"(%d lines dropped)\n%b" % (self._dropped, text)
            self._dropped = 0
        self._queued += len(text)
        self._queue.put(text)

    def _write(self) -> None:
        gone = False
        while (text := self._queue.get()) is not None:
            # Each count is increased by one thread only, so neither needs a lock.
            self._written += len(text)
            while text and not gone:
                try:
                    text = text[os.write(1, text) :]
                except BlockingIOError:
                    time.sleep(POLL)
                except OSError as error:
                    # On a full disk only this text is lost. After any other error the terminal or
                    # the reader has gone, so nothing more is printed.
                    gone = error.errno not in (errno.ENOSPC, errno.EDQUOT)
                    break

    def close(self) -> None:
        """Write what is queued, but wait no longer than a second for a slow reader."""
        self._queue.put(None)
        self._thread.join(timeout=1.0)


class Lines:
    """Cuts the output of a process into lines for the console, in bounded memory."""

    def __init__(self, name: str, source: int, console: Console) -> None:
        self._name, self._source, self._console = name, source, console
        self._rest = b""
        self.closed = asyncio.Event()
        os.set_blocking(source, False)
        asyncio.get_running_loop().add_reader(source, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._source, LINE_MAX_BYTES)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data or len(self._rest) >= LINE_MAX_BYTES:
            lines += [self._rest] if self._rest else []
            self._rest = b""
        for line in lines:
            self._console.line(self._name, line.rstrip(b"\r"))
        if not data:
            asyncio.get_running_loop().remove_reader(self._source)
            os.close(self._source)
            self.closed.set()
