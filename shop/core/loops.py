"""Work that goes on all the time, each in a thread of its own.

An app declares it by its dotted name: ``loops = ("audit.sealing.seal_next",)``. The callable does
what is due, and returns in how many seconds to call it again. Two processes may run it at once, so
it decides itself which of them leads.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import connection

from shop.core.apps import declared
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
STOP_SECONDS = 5.0


@contextmanager
def running_loops() -> Iterator[None]:
    """Run every declared loop during the block. A call that goes on at its end is left alone."""
    stopping = threading.Event()
    threads = [
        threading.Thread(target=_run, args=(work, stopping), name=work.__name__, daemon=True)
        for work in declared("loops")
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(STOP_SECONDS)


def _run(work: Callable[[], float], stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            pause = work()
        except Exception as error:
            pause = RETRY_SECONDS
            log = logger.warning if is_outage(error) else logger.exception
            log("loop.failed", loop=work.__name__, reason=type(error).__name__)
        if pause:
            connection.close()
            stopping.wait(pause)
    connection.close()
