"""The process that runs followers, each in a thread of its own."""

import signal
import threading
from collections.abc import Iterable

import structlog
from django.db import connection

from events.followers import Follower, StandingBy, follow
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

STANDBY_SECONDS = 1.0
RECONNECT_SECONDS = 1.0


class Following:
    """Followers that run until SIGTERM or SIGINT. The current batch is committed or rolled back."""

    def __init__(self, followers: Iterable[Follower]) -> None:
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"follower.{each.name}")
            for each in followers
        ]

    def run(self) -> None:
        """Return when every follower has stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        for thread in self._threads:
            thread.start()
        # Python handles a signal between two waits of the main thread.
        while not self.stopping.wait(1.0):
            continue
        for thread in self._threads:
            thread.join()

    def _run(self, follower: Follower) -> None:
        leading: bool | None = None
        while not self.stopping.is_set():
            was_leading = leading
            try:
                pause, leading = follow(follower), True
            except StandingBy:
                pause, leading = STANDBY_SECONDS, False
            except Exception as error:
                pause, leading = RECONNECT_SECONDS, None
                log = logger.warning if is_outage(error) else logger.exception
                log("follower.stopped", follower=follower.name, reason=type(error).__name__)
            if leading is not None and leading != was_leading:
                event = "follower.leading" if leading else "follower.standing_by"
                logger.info(event, follower=follower.name)
            if pause:
                connection.close()
                self.stopping.wait(pause)
        connection.close()
