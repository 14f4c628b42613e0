"""Tasks of the event loop that run as long as the process."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shop.core.metrics import BACKGROUND
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

RESTART_SECONDS = 0.5


def start(work: Callable[[], Awaitable[None]], *, name: str) -> "asyncio.Task[None]":
    """Return a task that does the work, and starts it again whenever it ends or fails.

    The metric ``shop_background_tasks`` counts the tasks that work now.
    """
    return asyncio.create_task(_forever(work, name), name=name)


async def _forever(work: Callable[[], Awaitable[None]], name: str) -> None:
    while True:
        try:
            with BACKGROUND.labels(name).track_inprogress():
                await work()
        except Exception as error:
            if not is_outage(error):
                logger.exception("background.failed", task=name)
        await asyncio.sleep(RESTART_SECONDS)
