"""Migrations that change tables beside a site that uses them.

Most changes need a table for themselves for a moment. Every later statement waits behind one that
waits for such a lock. So a migration waits briefly, and tries again a little later, until it gets
the lock.

An index that is built concurrently locks nobody out, but waits for every transaction that was open
before. That may take minutes, and holds up nobody.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.contrib.postgres import operations
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.state import ProjectState

from shop.core.database import no_statement_timeout

LOCK_MILLISECONDS = 300
REST_SECONDS = 0.7
PATIENCE_SECONDS = 600.0

Change = Callable[[CursorWrapper], None]
_HELD = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def patiently(run: Callable[[], None]) -> None:
    """Call ``run``, and call it again a little later while it fails for want of a lock.

    Raise what it raises otherwise, or after ten minutes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return run()
        except DatabaseError as error:
            if not isinstance(error.__cause__, _HELD) or time.monotonic() > deadline:
                raise
        time.sleep(REST_SECONDS)


def briefly(change: Change) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    """Return the code of a ``RunPython`` that makes the change in one short transaction.

    ``change`` is called with a cursor, and called again if the lock was not available. The
    migration must have ``atomic = False``.
    """

    def run(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        connection = schema_editor.connection

        def once() -> None:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
                change(cursor)

        patiently(once)

    return run


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Build an index beside the running site, whatever transactions are open.

    It can be repeated: a build that was broken off leaves an invalid index, which is dropped first.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Build the index."""
        with _waiting(schema_editor.connection) as cursor:
            name = schema_editor.quote_name(self.index.name)
            cursor.execute(
                "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name]
            )
            if cursor.rowcount:
                cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class RemoveIndexConcurrently(operations.RemoveIndexConcurrently):
    """Drop an index beside the running site, whatever transactions are open."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Drop the index."""
        with _waiting(schema_editor.connection):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


@contextmanager
def _waiting(connection: BaseDatabaseWrapper) -> Iterator[CursorWrapper]:
    """Let statements of the block wait for others as long as it takes."""
    with no_statement_timeout(connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        try:
            yield cursor
        finally:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])
