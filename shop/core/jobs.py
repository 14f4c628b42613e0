"""Rows that are jobs: a worker claims one, and a Celery message is only a hint to look.

A claim is a conditional update that commits. The work is done outside any transaction, and another
conditional update writes its outcome. If the worker dies in between, a sweep recognises the row.

Only the database's clock counts, so that workers whose clocks differ agree on what is due. It can
be set back, too. So a due time further ahead than the longest delay that is ever scheduled is
treated as past.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

LONGEST_DELAY_SECONDS = 1800
OUTCOME_SECONDS = 60.0
"""How long a worker waits for PostgreSQL to write an outcome that nobody else knows."""


def from_now(seconds: float) -> Combinable:
    """Return the time that many seconds ahead, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def due(longest: float = LONGEST_DELAY_SECONDS) -> Q:
    """Return the condition that a job's next attempt is due, where no delay is longer."""
    return Q(next_attempt_at__lte=Now()) | Q(next_attempt_at__gt=from_now(longest + 60))


def stale(seconds: float) -> Q:
    """Return the condition that a claim was not renewed for that many seconds."""
    return Q(claimed_at__lt=from_now(-seconds)) | Q(claimed_at__gt=from_now(seconds))


def backoff(first: float, attempts: int) -> float:
    """Return the seconds until the next attempt, which double after each failed one."""
    return min(first * 2 ** min(attempts, 20), LONGEST_DELAY_SECONDS)


def write_outcome(write: Callable[[], object]) -> None:
    """Write the outcome of work that cannot be done again, once PostgreSQL is back if it is away.

    ``write`` may run several times, because a lost connection can hide a commit. Raise the last
    error after ``OUTCOME_SECONDS``.
    """
    deadline = time.monotonic() + OUTCOME_SECONDS
    while True:
        try:
            write()
            return
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.5)
