"""A read replica for lists, exports and reports, which never hides a caller's own write.

If ``DATABASE_REPLICA_URL`` is set, each write leaves a mark: the position of the primary's log at
that time. A list is read from the replica only if it has replayed the log up to the caller's mark.
If that cannot be found out, the list is read from the primary.
"""

import time
from collections.abc import Callable, Collection
from functools import partial

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, connections, transaction

logger = structlog.get_logger(__name__)

PRIMARY, REPLICA = "default", "replica"
MARK_SECONDS = 300
"""How long a mark is kept. A replica that is further behind is not used at all."""
RETRY_SECONDS = 5.0
"""How long a replica that did not answer is not asked again."""
NEVER_REPLAYED = "FFFFFFFF/FFFFFFFF"
"""A position of the log that no replica can have reached."""

_open_until = 0.0
# Marks that Valkey did not take, so only this process knows them, and until when each counts.
_local_marks: dict[int, tuple[str, float]] = {}


def configured() -> bool:
    """Return whether the site has a replica."""
    return REPLICA in settings.DATABASES


def mark_write_on_commit(accounts: Collection[int]) -> None:
    """Mark a write of these accounts once the transaction has committed."""
    if configured():
        transaction.on_commit(partial(mark_write, accounts))


def mark_write(accounts: Collection[int]) -> None:
    """Mark what these accounts have committed by now. Raise nothing."""
    position = ""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
            position = str((cursor.fetchone() or ("",))[0])
        cache.set_many({_key(account): position for account in accounts}, MARK_SECONDS)
    except (DatabaseError, redis.RedisError, OSError) as error:
        logger.warning("replica.mark_kept_here", reason=type(error).__name__)
        if len(_local_marks) > 10_000:
            _local_marks.clear()
            open_circuit(MARK_SECONDS)
        # We do not know the position, so use one that no replica can have reached.
        kept = (position or NEVER_REPLAYED, time.monotonic() + MARK_SECONDS)
        _local_marks.update(dict.fromkeys(accounts, kept))


def database_for(account: int) -> str:
    """Return the alias of the database for the account's lists."""
    if not configured() or time.monotonic() < _open_until:
        return PRIMARY
    try:
        shared = cache.get(_key(account))
    except (redis.RedisError, OSError):
        return PRIMARY
    # Either may be the later write, because any process may have made a mark since.
    kept, until = _local_marks.get(account, ("", 0.0))
    wanted = [mark for mark in (shared, kept if until > time.monotonic() else "") if mark]
    return REPLICA if _replayed(wanted) else PRIMARY


def database_that_has(found: Callable[[str], bool]) -> str:
    """Return the replica's alias if ``found(alias)`` is true on it, else the primary's."""
    if not configured() or time.monotonic() < _open_until:
        return PRIMARY
    try:
        return REPLICA if found(REPLICA) else PRIMARY
    except DatabaseError as error:
        _failed(error)
        return PRIMARY


def open_circuit(seconds: float) -> None:
    """Read from the primary for so many seconds."""
    global _open_until
    _open_until = max(_open_until, time.monotonic() + seconds)


def _replayed(positions: list[str]) -> bool:
    """Return whether the replica answers, is not too far behind, and has replayed all of them."""
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= ALL (%s::pg_lsn[])"
                # A replica without anything to replay is up to date.
                " AND (pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
                "      OR now() - pg_last_xact_replay_timestamp() < %s * interval '1 second')",
                [positions, MARK_SECONDS - 60],
            )
            row = cursor.fetchone()
    except DatabaseError as error:
        _failed(error)
        return False
    return bool(row and row[0])


def _failed(error: Exception) -> None:
    logger.warning("replica.circuit_open", reason=str(error).strip())
    open_circuit(RETRY_SECONDS)


def _key(account: int) -> str:
    return f"wrote:{account}"
