"""Commits: whether one that failed may have recorded, and whether a lock held it up."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction

from shop.core.errors import OutcomeUnknown

BATCH_LOCK_MILLISECONDS = 50
"""How long purchases of many accounts wait for what somebody's transaction holds."""
LOCK_MILLISECONDS = 150
"""The same of a purchase that was held up before, and is tried by itself."""


@contextmanager
def ledger_transaction() -> Iterator[None]:
    """Hold a transaction open for the block, and commit it.

    Raises ``OutcomeUnknown`` where the connection breaks while the commit is on its way; after any
    other exception nothing of the transaction was recorded.
    """
    committing = False
    try:
        with transaction.atomic():
            yield
            committing = not connection.savepoint_ids
    except (OperationalError, InterfaceError) as error:
        if committing and is_lost(error.__cause__):
            raise OutcomeUnknown from error
        raise


def is_lost(error: BaseException | None) -> bool:
    """Return whether it is not known what became of the statement that failed by `error`.

    PostgreSQL names a state in what it refuses, and then nothing was recorded. States of the class
    57P say that it is going away.
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return state is None or state.startswith("57P")


def is_held(error: BaseException | None) -> bool:
    """Return whether somebody's transaction holds a row or a key that the statement needs.

    PostgreSQL names the row then. Without one it is the whole table, which a migration holds.
    """
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return error.diag.context is not None
    return isinstance(error, psycopg.errors.DeadlockDetected)
