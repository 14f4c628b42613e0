"""Results that many readers share for a few seconds, so that many readers cost one query.

Valkey shares them between processes. Without it, each process shares them between its threads.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import redis
import structlog
from django.core.cache import cache

logger = structlog.get_logger(__name__)

T = TypeVar("T")

FRESH_SECONDS = 5.0
SHARE_OF_TIME = 0.05
"""Results are made anew so rarely that making them takes at most this share of the time."""
STALE_SECONDS = 30.0
"""How long readers still get the earlier result while somebody makes a new one."""
MAKING_SECONDS = 15
KEPT = 200
# It changes with the fields of what is remembered, because two versions run during a deploy.
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Made:
    """A result, and until when it is fresh, in seconds since 1970."""

    result: Any
    fresh_until: float

    @property
    def is_fresh(self) -> bool:
        """Return whether it need not be made anew."""
        return time.time() < self.fresh_until

    @property
    def may_be_shown(self) -> bool:
        """Return whether it is good enough while somebody makes a new one."""
        return time.time() < self.fresh_until + STALE_SECONDS


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: Made | None = None


_places: dict[str, _Place] = {}


def remembered(key: str, make: Callable[[], T], *, fresh_seconds: float = FRESH_SECONDS) -> T:
    """Return ``make()``, or its result of a few seconds ago. Exceptions are not remembered."""
    if len(_places) > KEPT:
        _places.clear()
    place = _places.setdefault(key, _Place())
    made = place.made
    if made is not None and made.is_fresh:
        return cast(T, made.result)
    # Only who has nothing to show waits, because waiting threads would be missing elsewhere.
    if made is not None and made.may_be_shown:
        if not place.lock.acquire(blocking=False):
            return cast(T, made.result)
    else:
        place.lock.acquire()
    try:
        if place.made is None or not place.made.is_fresh:
            place.made = _shared_or_made(key, make, fresh_seconds)
        return cast(T, place.made.result)
    finally:
        place.lock.release()


def forget() -> None:
    """Forget what this process remembers."""
    _places.clear()


def _shared_or_made(key: str, make: Callable[[], Any], fresh_seconds: float) -> Made:
    name = f"remembered:{_VERSION}:{key}"
    try:
        shared = cache.get(name)
        if isinstance(shared, Made) and (
            shared.is_fresh or not cache.add(f"{name}:making", 1, MAKING_SECONDS)
        ):
            return shared
    except (redis.RedisError, OSError) as error:
        logger.warning("remembered.not_shared", reason=type(error).__name__)
    started = time.monotonic()
    result = make()
    lasts = max(fresh_seconds, (time.monotonic() - started) / SHARE_OF_TIME)
    made = Made(result, time.time() + lasts)
    try:
        cache.set(name, made, int(lasts + STALE_SECONDS) + 1)
        cache.delete(f"{name}:making")
    except (redis.RedisError, OSError) as error:
        logger.warning("remembered.not_shared", reason=type(error).__name__)
    return made
