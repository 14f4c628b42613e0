"""How much one account may ask of one process.

A quota is a rate with a burst of one minute's worth. The process that answers keeps it in memory.
That costs a dictionary look-up, and holds while Valkey is away. With several processes an account
may have as many times the rate.
"""

import math
import time
from typing import Any, Generic, TypeVar

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.access import Caller, may_record_for_anyone
from accounts.site_settings import QUOTA_CLIENT_REQUESTS_PER_MINUTE, QUOTA_REQUESTS_PER_MINUTE
from shop.core.errors import ApplicationError

ACCOUNTS_MAX = 100_000
DEBT_SECONDS = 3600.0
LINES_A_REQUEST = 100
Holder = TypeVar("Holder")
SEARCHES_A_MINUTE = 240
"""Enough for somebody who types all the time, because the page asks while they type."""


class TooManyRequests(ApplicationError):
    """The account has used up its quota. ``retry_after`` is in seconds."""

    status = 429
    code = "throttled"

    def __init__(self, wait: float) -> None:
        self.retry_after = max(1, math.ceil(wait))
        super().__init__(
            f"Request was throttled. Expected available in {self.retry_after} seconds."
        )


class Quota(Generic[Holder]):
    """A rate for each account, by the generic cell rate algorithm: one number for each.

    The number is the time at which the account would have finished at an even pace. It may lie one
    minute ahead, or as far as ``burst`` requests take. Other things than accounts may have a rate.
    """

    WINDOW = 60.0

    def __init__(self, *, burst: int = 0) -> None:
        self.burst = burst
        self._paid_until: dict[Holder, float] = {}

    def _ahead(self, per_minute: int) -> float:
        return self.WINDOW * min(1.0, self.burst / per_minute) if self.burst else self.WINDOW

    def take(self, account: Holder, per_minute: int, *, now: float | None = None) -> float:
        """Count one request. Return 0, or the seconds until the next one will be allowed.

        ``per_minute`` 0 sets no limit. Several threads may call this. Of two requests of one
        account at the same moment one may then not be counted.
        """
        if not per_minute:
            return 0.0
        moment = time.monotonic() if now is None else now
        paid = max(self._paid_until.get(account, moment), moment) + self.WINDOW / per_minute
        excess = paid - moment - self._ahead(per_minute)
        if excess > 1e-9:
            return excess
        self._remember(account, paid, moment)
        return 0.0

    def wait(self, account: Holder, per_minute: int) -> float:
        """Return 0, or the seconds until the next request will be allowed; count nothing."""
        if not per_minute:
            return 0.0
        moment = time.monotonic()
        paid = max(self._paid_until.get(account, moment), moment) + self.WINDOW / per_minute
        excess = paid - moment - self._ahead(per_minute)
        return excess if excess > 1e-9 else 0.0

    def spend(
        self, account: Holder, requests: float, per_minute: int, *, now: float | None = None
    ) -> None:
        """Count finished work as so many requests, even beyond the quota.

        The account then has to wait until that is paid, an hour at most.
        """
        if not per_minute:
            return
        moment = time.monotonic() if now is None else now
        paid = max(self._paid_until.get(account, moment), moment)
        paid += requests * self.WINDOW / per_minute
        self._remember(account, min(paid, moment + DEBT_SECONDS), moment)

    def _remember(self, account: Holder, paid: float, moment: float) -> None:
        if len(self._paid_until) >= ACCOUNTS_MAX:
            # An entry in the past means a full burst, the same as no entry, so it can be dropped.
            for key, at in list(self._paid_until.items()):
                if at <= moment:
                    self._paid_until.pop(key, None)
        self._paid_until[account] = paid


_requests: Quota[int] = Quota()
_searches: Quota[int] = Quota()


def _rate(caller: Caller) -> int:
    rate: int = (
        QUOTA_CLIENT_REQUESTS_PER_MINUTE.value
        if may_record_for_anyone(caller)
        else QUOTA_REQUESTS_PER_MINUTE.value
    )
    return rate


def count_request(caller: Caller) -> float:
    """Count one request of the caller. Return 0, or the seconds that it has to wait."""
    return _requests.take(caller.id, _rate(caller))


def count_lines(caller: Caller, lines: int) -> None:
    """Count lines of a bulk request; ``LINES_A_REQUEST`` of them cost as much as one request."""
    _requests.spend(caller.id, lines / LINES_A_REQUEST, _rate(caller))


def check_page(holder: str) -> None:
    """Count one page or socket of the holder, if that is an account.

    Raise ``TooManyRequests`` if its quota is used up.
    """
    kind, _, account = holder.partition(":")
    if kind == "account":
        wait = _requests.take(int(account), QUOTA_REQUESTS_PER_MINUTE.value)
        if wait:
            raise TooManyRequests(wait)


def check_requests(caller: Caller) -> None:
    """Count one request of the caller. Raise ``TooManyRequests`` if its quota is used up."""
    wait = count_request(caller)
    if wait:
        raise TooManyRequests(wait)


def check_searches(caller: Caller) -> None:
    """Count one search of the caller. Raise ``TooManyRequests`` if its quota is used up."""
    wait = _searches.take(caller.id, SEARCHES_A_MINUTE)
    if wait:
        raise TooManyRequests(wait)


class AccountThrottle(BaseThrottle):
    """The quota as a throttle of REST framework."""

    _wait: float = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the account has some of its quota left."""
        if request.user and request.user.is_authenticated:
            self._wait = count_request(Caller.of(request.user))
        return not self._wait

    def wait(self) -> float | None:
        """Return the seconds until the next request is allowed."""
        return math.ceil(self._wait) or None
