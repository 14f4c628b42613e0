"""Connections of the event loop that one piece of work after another uses.

A new connection costs about 6 ms: PostgreSQL starts a process, which then reads its catalogues for
the first query. Nothing is kept before a server has called ``start``, or after ``stop``.
"""

import asyncio
import select
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from shop.core.database import connect

KEPT = 2
"""How many idle connections a process keeps at most."""
KEEP_SECONDS = 60.0

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class _Idle:
    using: str
    connection: Connection
    timer: asyncio.TimerHandle


_idle: list[_Idle] = []
_kept = 0


def start() -> None:
    """Keep connections from now on."""
    global _kept
    _kept = KEPT


async def take(using: str) -> Connection:
    """Return a connection to one of Django's databases, idle and in autocommit mode.

    The caller gives it to ``keep`` when its work has gone well, and else closes it.
    """
    for one in [one for one in _idle if one.using == using]:
        _idle.remove(one)
        one.timer.cancel()
        if not _has_ended(one.connection):
            return one.connection
        one.connection.pgconn.finish()
    connection = await connect(using)
    # Work sends several statements at once, which cannot be prepared.
    connection.prepare_threshold = None
    return connection


def keep(using: str, connection: Connection) -> None:
    """Keep an idle connection for a while, or close it if there are enough."""
    if (
        len(_idle) >= _kept
        or connection.pgconn.transaction_status != TransactionStatus.IDLE
        or _has_ended(connection)
    ):
        connection.pgconn.finish()
        return
    timer = asyncio.get_running_loop().call_later(KEEP_SECONDS, _drop, connection)
    _idle.append(_Idle(using, connection, timer))


def stop() -> None:
    """Close the idle connections, and keep no more."""
    global _kept
    _kept = 0
    for one in list(_idle):
        one.timer.cancel()
        _drop(one.connection)


def _drop(connection: Connection) -> None:
    _idle[:] = [one for one in _idle if one.connection is not connection]
    connection.pgconn.finish()


def _has_ended(connection: Connection) -> bool:
    """Return whether PostgreSQL has said something to an idle connection, which is its end."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
