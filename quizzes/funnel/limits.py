"""How much one network, and one attempt, may ask for. Work is asked for before anything is refused.

All counts are kept in memory, by the process that answers, and hold while Valkey is away. With
several processes a network may have as many times the number. No address is stored, and IPv6
counts by /64.

A network is counted by its attempts, so a repeated request costs nothing.
"""

import math
import threading
import time
from collections import OrderedDict
from uuid import UUID

from django.utils.translation import gettext_noop

from accounts.quotas import Quota, TooManyRequests
from quizzes.answering.hooks import Facts
from quizzes.funnel.challenges import is_solved
from quizzes.funnel.site_settings import (
    QUIZ_ATTEMPTS_FREE,
    QUIZ_CONTACTS_FREE,
    QUIZ_CONTACTS_PER_ATTEMPT,
    QUIZ_FINISHES_FREE,
    QUIZ_SAVES_PER_MINUTE,
)
from shop.core.errors import ApplicationError
from shop.core.site_settings import Integer

TEN_MINUTES, HOUR, DAY = 600.0, 3600.0, 86_400.0
MOST = 10
"""A network is refused after so many times the free number, with or without work."""
KEPT = 200_000
"""How many entries a window keeps; the networks that were seen least recently are forgotten."""
SAVES_BURST = 20


class ChallengeRequired(ApplicationError):
    """The network has used up what is free; a solved challenge goes on."""

    status = 428
    code = "challenge_required"
    detail = gettext_noop(
        "Much came from your network. Solve GET challenge/, and send it as the header Challenge."
    )


class Window:
    """The different things that each holder did within the last ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._holders: OrderedDict[str, dict[UUID, float]] = OrderedDict()
        self._entries = 0
        # Challenges are checked in threads, and everything else in the event loop.
        self._lock = threading.Lock()

    def seen(self, holder: str, thing: UUID) -> tuple[bool, int, float]:
        """Return whether the thing counts already, how many do, and when the first one ends."""
        with self._lock:
            things = self._recent(holder)
            is_known = thing in things
            if is_known:
                # Who goes on counts from now on, and is never stopped in the middle of a quiz.
                del things[thing]
                things[thing] = time.monotonic()
            first = next(iter(things.values()), 0.0)
            return is_known, len(things), first + self.seconds - time.monotonic()

    def add(self, holder: str, thing: UUID) -> None:
        """Count a thing once."""
        with self._lock:
            things = self._recent(holder)
            if thing not in things:
                things[thing] = time.monotonic()
                self._entries += 1
            self._holders[holder] = things
            self._holders.move_to_end(holder)
            while max(self._entries, len(self._holders)) > KEPT and len(self._holders) > 1:
                self._entries -= len(self._holders.popitem(last=False)[1])

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._holders.clear()
            self._entries = 0

    def _recent(self, holder: str) -> dict[UUID, float]:
        things = self._holders.get(holder, {})
        since = time.monotonic() - self.seconds
        # They are in the order of their times.
        for thing in [*things]:
            if things[thing] > since:
                break
            del things[thing]
            self._entries -= 1
        return things


class Tries:
    """How many times something was done with a thing within a day."""

    def __init__(self) -> None:
        self._tries: OrderedDict[UUID, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, thing: UUID, most: int) -> float:
        """Count one. Return 0, or the seconds until there may be more."""
        now = time.monotonic()
        with self._lock:
            since, count = self._tries.get(thing, (now, 0))
            if now - since > DAY:
                since, count = now, 0
            if count >= most:
                return since + DAY - now
            self._tries[thing] = (since, count + 1)
            if len(self._tries) > KEPT:
                self._tries.popitem(last=False)
        return 0.0

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tries.clear()


_attempts, _finishes, _contacts = Window(TEN_MINUTES), Window(HOUR), Window(HOUR)
_tries = Tries()
_saves: "Quota[UUID]" = Quota(burst=SAVES_BURST)


def admit(facts: Facts) -> None:
    """Count a request of a respondent's device.

    Raise ``ChallengeRequired``, or ``TooManyRequests``. Without a challenge this waits for nothing.
    """
    if facts.action == "finish":
        _count(_finishes, QUIZ_FINISHES_FREE, facts)
    elif facts.action == "contact":
        _count(_contacts, QUIZ_CONTACTS_FREE, facts)
        most = QUIZ_CONTACTS_PER_ATTEMPT.value
        if most and (wait := _tries.take(facts.attempt, most)):
            raise TooManyRequests(wait)
    else:
        _count(_attempts, QUIZ_ATTEMPTS_FREE, facts)
        if wait := _saves.take(facts.attempt, QUIZ_SAVES_PER_MINUTE.value):
            raise TooManyRequests(wait)


def _count(window: Window, free: Integer, facts: Facts) -> None:
    if not free.value:
        return
    is_known, count, left = window.seen(facts.network, facts.attempt)
    if is_known:
        return
    if count >= free.value * MOST:
        raise TooManyRequests(math.ceil(left))
    if count >= free.value and not is_solved(facts.challenge, facts.slug):
        raise ChallengeRequired()
    window.add(facts.network, facts.attempt)


def forget_all() -> None:
    """Forget all counts, for tests."""
    global _saves
    for kept in (_attempts, _finishes, _contacts, _tries):
        kept.forget()
    _saves = Quota(burst=SAVES_BURST)
