"""Commits to the ledger: a failed one may have recorded, or have met a lock."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import OperationalError, transaction

from shop.core.errors import OutcomeUnknown
from shop.core.outages import is_commit_lost

BATCH_LOCK_MILLISECONDS = 50
"""How long a batch of several accounts waits for a lock of another transaction."""
LOCK_MILLISECONDS = 150
"""How long a purchase waits for a lock when it is retried alone."""


@contextmanager
def ledger_transaction() -> Iterator[None]:
    """Hold a transaction open for the block, and commit it.

    Raise ``OutcomeUnknown`` where the connection breaks during the commit; after any other
    exception nothing of the transaction was recorded.
    """
    try:
        with transaction.atomic():
            yield
    except OperationalError as error:
        if is_commit_lost(error):
            raise OutcomeUnknown from error
        raise


def is_held(error: BaseException | None) -> bool:
    """Return whether another transaction holds a row or a key that the statement needs.

    PostgreSQL's message then names the row. Otherwise a migration holds the whole table.
    """
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return error.diag.context is not None
    return isinstance(error, psycopg.errors.DeadlockDetected)
