"""Outages: exceptions that mean "this cannot be done now", without a defect of ours.

REST framework, Django, the ASGI application and the batched purchases all ask ``is_outage``. An
outage is answered ``503`` with ``Retry-After``. Nothing was recorded then, except that
``is_commit_lost`` may say that the outcome is unknown.
"""

import errno
from collections.abc import Mapping
from typing import Any

import kombu.exceptions
import psycopg
import redis
from django import db

from shop.core.database import CommitLost

READ_ONLY = "25006"
_OPERATIONAL = (
    db.OperationalError,
    db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    kombu.exceptions.OperationalError,
    redis.ConnectionError,
    redis.TimeoutError,
)
# PostgreSQL is read-only, or has ended a transaction that its client left open.
_STATES = frozenset({READ_ONLY, "25P03"})
# PostgreSQL is shutting down, has ended a slow statement, or takes no more connections.
_EVERYBODYS = ("08", "57", "53300")
# Valkey is a replica, has lost its primary or replicas, is full, cannot save, or is loading.
_REFUSALS = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.AuthenticationWrongNumberOfArgsError,
    redis.exceptions.ExecAbortError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)
_CODES = frozenset({"BUSY", "LOADING", "MISCONF", "NOREPLICAS", "NOREPL", "UNBLOCKED"})
# A disk or a quota is full, broken or read-only, or this process has no more files or memory.
_ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)


def is_outage(exception: BaseException | None) -> bool:
    """Return whether a server, a disk or this machine cannot do now what it was asked to do."""
    if isinstance(exception, _OPERATIONAL):
        return True
    if isinstance(exception, (db.Error, psycopg.Error)):
        return sqlstate(exception) in _STATES
    if isinstance(exception, redis.RedisError):
        return isinstance(exception, _REFUSALS) or str(exception).partition(" ")[0] in _CODES
    return isinstance(exception, OSError) and exception.errno in _ERRNOS


def is_commit_lost(exception: BaseException | None) -> bool:
    """Return whether the outage hit a commit, so that its outcome is unknown."""
    return exception is not None and isinstance(exception.__cause__, CommitLost)


def tell_gate(environ: Mapping[str, Any], exception: BaseException | None) -> None:
    """Tell the gate of an outage that every other request would have to wait for, too.

    A lock that one client holds is none of these, nor is a server that refuses at once.
    """
    if exception is not None and (_is_away(exception) or _is_away(exception.__cause__)):
        environ.get("shop.outage", lambda: None)()


def _is_away(exception: BaseException | None) -> bool:
    state = sqlstate(exception)
    return isinstance(exception, _OPERATIONAL) and (state is None or state.startswith(_EVERYBODYS))


def sqlstate(exception: BaseException | None) -> str | None:
    """Return the SQLSTATE of an exception of Django or psycopg, or ``None``."""
    if isinstance(exception, db.Error):
        exception = exception.__cause__
    return exception.sqlstate if isinstance(exception, psycopg.Error) else None
