"""A read replica for lists, exports and reports, which never hides from a caller its own write.

Where ``DATABASE_REPLICA_URL`` is set, whoever writes leaves a note of how far the primary's log had
come by then. A list is read from the replica only if the replica has replayed the log up to the
caller's note. Whenever that cannot be found out, the primary is read.
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
NOTE_SECONDS = 300
"""How long a note is kept; a replica that is further behind is not used at all."""
RETRY_SECONDS = 5.0
"""How long a replica that did not answer is left alone."""

_left_alone_until = 0.0
# Notes that Valkey did not take, which only this process knows of.
_untold: dict[int, str] = {}


def configured() -> bool:
    """Return whether there is a replica."""
    return REPLICA in settings.DATABASES


def wrote(accounts: Collection[int]) -> None:
    """Note, once the transaction has committed, that these accounts have written."""
    if configured():
        transaction.on_commit(partial(note, accounts))


def note(accounts: Collection[int]) -> None:
    """Note that these accounts have written what is committed by now; raises nothing."""
    position = ""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
            position = str((cursor.fetchone() or ("",))[0])
        cache.set_many({_key(account): position for account in accounts}, NOTE_SECONDS)
    except (DatabaseError, redis.RedisError, OSError) as error:
        logger.warning("replica.note_kept_here", reason=type(error).__name__)
        if len(_untold) > 10_000:
            _untold.clear()
            leave_alone(NOTE_SECONDS)
        # Without a position nothing is far enough.
        _untold.update(dict.fromkeys(accounts, position or "FFFFFFFF/FFFFFFFF"))


def database_for(account: int) -> str:
    """Return the alias of the database that the account's lists are read from now."""
    if not configured() or time.monotonic() < _left_alone_until:
        return PRIMARY
    try:
        wanted = _untold.get(account) or cache.get(_key(account))
    except (redis.RedisError, OSError):
        return PRIMARY
    return REPLICA if _replayed(wanted) else PRIMARY


def database_that_has(found: Callable[[str], bool]) -> str:
    """Return the replica's alias if ``found``, asked with it, says so; else the primary's."""
    if not configured() or time.monotonic() < _left_alone_until:
        return PRIMARY
    try:
        return REPLICA if found(REPLICA) else PRIMARY
    except DatabaseError as error:
        _failed(error)
        return PRIMARY


def leave_alone(seconds: float) -> None:
    """Read from the primary for so long."""
    global _left_alone_until
    _left_alone_until = time.monotonic() + seconds


def _replayed(position: str | None) -> bool:
    """Return whether the replica answers, is not too far behind, and has replayed ``position``."""
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= %s::pg_lsn"
                # Nothing to replay is as good as having replayed it just now.
                " AND (pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
                "      OR now() - pg_last_xact_replay_timestamp() < %s * interval '1 second')",
                [position or "0/0", NOTE_SECONDS - 60],
            )
            row = cursor.fetchone()
    except DatabaseError as error:
        _failed(error)
        return False
    return bool(row and row[0])


def _failed(error: Exception) -> None:
    logger.warning("replica.left_alone", reason=str(error).strip())
    leave_alone(RETRY_SECONDS)


def _key(account: int) -> str:
    return f"wrote:{account}"
