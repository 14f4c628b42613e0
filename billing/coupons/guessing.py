"""A quota for codes that do not exist, so that nobody finds a coupon by trying."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounts.access import Caller, may_record_for_anyone
from accounts.quotas import Quota, TooManyRequests
from billing.coupons.errors import CouponInvalid

WRONG_A_MINUTE = 20
"""More than somebody who types a code mistypes it."""
WRONG_A_MINUTE_AT_TILLS = 300
"""A till types the codes of many customers."""

_wrong: Quota[int] = Quota()


@contextmanager
def counted(caller: Caller) -> Iterator[None]:
    """Count a ``CouponInvalid`` of the block against the caller.

    Raise ``TooManyRequests`` before the block if there were too many, because a right code must not
    be told from a wrong one then.
    """
    rate = WRONG_A_MINUTE_AT_TILLS if may_record_for_anyone(caller) else WRONG_A_MINUTE
    if wait := _wrong.wait(caller.id, rate):
        raise TooManyRequests(wait)
    try:
        yield
    except CouponInvalid:
        _wrong.spend(caller.id, 1, rate)
        raise
