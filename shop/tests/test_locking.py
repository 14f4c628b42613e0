"""A deploy migrates while others use the tables, and some of them for long."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from shop.core.database import own_connection_parameters
from tests.system import wait_for

# As little as can be is undone: what changes a table, and what builds an index.
BEFORE = [("documents", "0004_failed"), ("purchases", "0010_accounts_stay")]
INDEX = "purchases_by_recorder"
LONG_SECONDS = 2.5
"""More than DATABASE_LOCK_SECONDS."""
TABLE_WAITS = (
    "SELECT EXISTS (SELECT FROM pg_locks"
    " WHERE relation = 'reports_report'::regclass AND mode = 'AccessExclusiveLock'"
    " AND NOT granted)"
)
INDEX_WAITS = (
    "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
    " WHERE datname = current_database() AND phase ~ 'waiting for old snapshots')"
)
CHANGED = (
    "SELECT NOT attnotnull FROM pg_attribute"
    " WHERE attrelid = 'reports_report'::regclass AND attname = 'requested_by_id'"
)
VALID = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{INDEX}'::regclass"

Connection = psycopg.Connection[Any]


@contextmanager
def _connected(**options: Any) -> Iterator[Connection]:
    with psycopg.connect(**own_connection_parameters(), **options) as own:
        own.execute("SET lock_timeout = '1s'")
        own.commit()
        yield own


def _one(own: Connection, query: str) -> Any:
    row = own.execute(query).fetchone()
    return row and row[0]


@contextmanager
def _preparing() -> Iterator[list[BaseException]]:
    """Run ``prepare_database`` in a thread; yield what it raises."""
    raised: list[BaseException] = []

    def prepare() -> None:
        try:
            call_command("prepare_database", verbosity=0, stdout=StringIO())
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=prepare)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def database_before(transactional_db: None) -> Iterator[None]:
    MigrationExecutor(connection).migrate(BEFORE)
    yield
    call_command("migrate", verbosity=0)


@pytest.mark.usefixtures("database_before")
def test_a_migration_waits_for_long_transactions_and_nobody_waits_for_it() -> None:
    with (
        _connected() as long_reader,
        _connected() as old_snapshot,
        _connected(autocommit=True) as other,
    ):
        old_snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        _one(old_snapshot, "SELECT count(*) FROM purchases_upload")
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            # A build that was broken off leaves its index behind.
            other.execute(f"CREATE INDEX CONCURRENTLY {INDEX} ON purchases_purchase (id)")
        assert _one(other, VALID) is False
        assert _one(other, CHANGED) is False
        other.execute("SET lock_timeout = '1s'")
        _one(long_reader, "SELECT count(*) FROM reports_report")
        with _preparing() as raised:
            for waits, holder in ((TABLE_WAITS, long_reader), (INDEX_WAITS, old_snapshot)):
                wait_for(lambda: raised or _one(other, waits))  # noqa: B023
                end = time.monotonic() + LONG_SECONDS
                while time.monotonic() < end and not raised:
                    # Whoever comes meanwhile waits for a moment at most.
                    other.execute("SELECT FROM reports_report, purchases_purchase LIMIT 1")
                    time.sleep(0.01)
                holder.rollback()
        assert raised == []
        assert _one(other, VALID) is True
        assert _one(other, CHANGED) is True
