"""The process that runs followers, and other work that follows the log, each in its own thread."""

import signal
import threading
from collections.abc import Callable, Iterable, Mapping

import structlog
from django.db import connection
from django.utils.module_loading import import_string

from events.followers import Follower, StandingBy, follow
from shop.core.apps import shop_apps
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

STANDBY_SECONDS = 1.0
RECONNECT_SECONDS = 1.0


Work = Callable[[threading.Event], None]


def declared_work() -> dict[str, Work]:
    """Return the other work of this process that an app declares, by name."""
    return {
        name: import_string(path)
        for config in shop_apps()
        for name, path in config.following.items()
    }


class Following:
    """Followers and other work until SIGTERM or SIGINT.

    The current batch of a follower is committed or rolled back. Other work that fails or ends is
    begun again.
    """

    def __init__(self, followers: Iterable[Follower], work: Mapping[str, Work]) -> None:
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"follower.{each.name}")
            for each in followers
        ] + [
            threading.Thread(target=self._work, args=(name, each), name=f"following.{name}")
            for name, each in work.items()
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

    def _work(self, name: str, work: Work) -> None:
        while not self.stopping.is_set():
            try:
                work(self.stopping)
            except Exception as error:
                log = logger.warning if is_outage(error) else logger.exception
                log("following.failed", work=name, reason=type(error).__name__)
            connection.close()
            self.stopping.wait(RECONNECT_SECONDS)
