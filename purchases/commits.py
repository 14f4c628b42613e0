"""Commits to the ledger: whether a failed one may have recorded, and whether a lock held it up."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import OperationalError, transaction

from shop.core.errors import OutcomeUnknown
from shop.core.outages import is_commit_lost

BATCH_LOCK_MILLISECONDS = 50
"""How long purchases of many accounts wait for what somebody's transaction holds."""
LOCK_MILLISECONDS = 150
"""The same of a purchase that was held up before, and is tried by itself."""


@contextmanager
def ledger_transaction() -> Iterator[None]:
    """Hold a transaction open for the block, and commit it.

    Raise ``OutcomeUnknown`` where the connection breaks while the commit is on its way; after any
    other exception nothing of the transaction was recorded.
    """
    try:
        with transaction.atomic():
            yield
    except OperationalError as error:
        if is_commit_lost(error):
            raise OutcomeUnknown from error
        raise


def is_held(error: BaseException | None) -> bool:
    """Return whether somebody's transaction holds a row or a key that the statement needs.

    PostgreSQL names the row then. Without one it is the whole table, which a migration holds.
    """
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return error.diag.context is not None
    return isinstance(error, psycopg.errors.DeadlockDetected)
