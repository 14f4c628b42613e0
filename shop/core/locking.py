"""Migrations that need a table for themselves for a moment, beside a site that uses it.

Every later statement waits behind a statement that waits for such a lock. So the migration waits
briefly, and tries again a little later, until it gets the lock.
"""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import DatabaseError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper

LOCK_MILLISECONDS = 300
REST_SECONDS = 0.7
PATIENCE_SECONDS = 600.0

Change = Callable[[CursorWrapper], None]


def briefly(change: Change) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    """Return the code of a ``RunPython`` that makes the change in one short transaction.

    ``change`` is called with a cursor, and called again if the lock was not available. The
    migration must have ``atomic = False``.
    """

    def run(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        connection = schema_editor.connection
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
                    change(cursor)
                return
            except DatabaseError as error:
                held = psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected
                if not isinstance(error.__cause__, held) or time.monotonic() > deadline:
                    raise
            time.sleep(REST_SECONDS)

    return run
