"""This process: its kind and id, and the work that goes on in every process.

An app declares such work by its dotted name: ``process_loops = ("operations.beats.report",)``. The
callable gets this ``Process``, does what is due, and returns in how many seconds to call it again.

All of them take turns in one thread, because each thread would need a connection to PostgreSQL of
its own. So each is quick, and waits for nothing but PostgreSQL.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import structlog
from django.db import connection

from shop.core.apps import declared
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
START_SECONDS = 2.0
STOP_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the shop.

    ``kind`` is ``web``, ``live``, ``relay``, ``worker``, ``beat`` or ``follower``. A worker's
    children are of the kind ``task``. ``stopping`` is true in the last call, when the process ends
    in order.
    """

    kind: str
    id: UUID = field(default_factory=uuid4)
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopping: bool = False


ProcessLoop = Callable[[Process], float]

_running: "_Companion | None" = None


class _Companion:
    """The thread that does the work of ``process_loops`` beside the process's own work."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process_loops", daemon=True)

    def start(self) -> None:
        """Begin, and return when every loop has worked once, or after a short time."""
        self._thread.start()
        # So the settings at run time are known before the process serves anybody.
        self._begun.wait(START_SECONDS)

    def stop(self) -> None:
        """Let every loop work a last time, for a few seconds at most."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        due: dict[ProcessLoop, float] = dict.fromkeys(declared("process_loops"), 0.0)
        while not self._stop.is_set():
            for loop, at in due.items():
                if at <= time.monotonic():
                    due[loop] = time.monotonic() + self._call(loop, self.process)
            self._begun.set()
            if not due:
                return
            self._stop.wait(
                min(LONGEST_PAUSE_SECONDS, max(0.0, min(due.values()) - time.monotonic()))
            )
        for loop in due:
            self._call(loop, replace(self.process, stopping=True))

    def _call(self, loop: ProcessLoop, process: Process) -> float:
        try:
            return loop(process)
        except Exception as error:
            log = logger.warning if is_outage(error) else logger.exception
            log("process_loop.failed", loop=loop.__name__, reason=type(error).__name__)
            return RETRY_SECONDS
        finally:
            connection.close()


def current() -> Process | None:
    """Return this process, or ``None`` in a command that is no process of the shop."""
    return None if _running is None else _running.process


def start(kind: str) -> None:
    """Begin the work of this process, and wait until all of it was done once, for 2 s at most.

    A process that was forked has begun nothing.
    """
    global _running
    if _running is None:
        _running = _Companion(Process(kind))
        _running.start()


def stop() -> None:
    """End the work of this process in order."""
    global _running
    if _running is not None:
        _running.stop()
        _running = None


def _forget() -> None:
    global _running
    _running = None


os.register_at_fork(after_in_child=_forget)


@contextmanager
def running(kind: str) -> Iterator[None]:
    """Do the work of every process during the block."""
    start(kind)
    try:
        yield
    finally:
        stop()
