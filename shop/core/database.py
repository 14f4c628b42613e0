"""Connections to PostgreSQL that do not wait for ever.

PostgreSQL ends statements that take too long, but a server that hangs, or a machine that is gone
behind an open connection, ends nothing. Whoever waits gives up on its own here.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.abc import PQGen

Result = TypeVar("Result")

# What ends a connection whose server has vanished without a word: it is asked for a sign of life
# after 5 s, and given up after 9 s, or 8 s after something was sent.
LOST_SERVER = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}

CHECK_SECONDS = 1.0
"""How long the pool waits for a sign of life before it hands a connection out."""


class Unanswered(psycopg.OperationalError):
    """PostgreSQL did not answer in time; whether it did what it was asked is not known."""


class CommitLost(psycopg.OperationalError):
    """The connection broke while a commit was on its way; whether it came through is not known."""


def is_lost(error: BaseException | None) -> bool:
    """Return whether it is not known what became of the statement that failed by `error`.

    PostgreSQL names a state in what it refuses, and then nothing was recorded. States of the class
    57P say that it is going away.
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return state is None or state.startswith("57P")


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when an answer takes longer than ``answer_seconds``.

    ``None`` sets no limit, for work that PostgreSQL is told to do without one too. Where it breaks
    at a commit, that raises ``CommitLost``.
    """

    answer_seconds: float | None = None
    demoted_at: ClassVar[float] = float("-inf")
    """When a connection of this process last found PostgreSQL read-only."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.opened_at = time.monotonic()

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        limit = timeout if timeout is not None else self.answer_seconds
        try:
            return super().wait(gen, interval, limit)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            # Its answer may still come, and nobody may take it for that of the next statement.
            self.pgconn.finish()
            raise Unanswered("PostgreSQL does not answer.") from None
        except psycopg.errors.ReadOnlySqlTransaction:
            # A primary that was demoted stays read-only. The pool opens its connections anew.
            Connection.demoted_at = time.monotonic()
            self.pgconn.finish()
            raise

    def commit(self) -> None:
        try:
            super().commit()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if is_lost(error):
                raise CommitLost(str(error)) from error
            raise

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        if query != "":
            return super().execute(query, *args, **kwargs)
        # This is how the pool asks whether the connection is alive.
        if self.opened_at <= Connection.demoted_at:
            self.pgconn.finish()
            raise psycopg.OperationalError("PostgreSQL was read-only after this was opened.")
        usual, self.answer_seconds = self.answer_seconds, CHECK_SECONDS
        try:
            return super().execute(query, *args, **kwargs)
        finally:
            self.answer_seconds = usual


def connection_class(answer_seconds: float | None) -> type[Connection]:
    """Return the class of connections with that limit."""
    return type("Connection", (Connection,), {"answer_seconds": answer_seconds})


async def connect(using: str = "default", options: str = "") -> psycopg.AsyncConnection[Any]:
    """Return a connection of the event loop to one of Django's databases, in autocommit mode.

    ``options`` are added to the ``options`` of libpq.
    """
    parameters = own_connection_parameters(using)
    parameters["options"] += options
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


@contextlib.contextmanager
def unhurried(using: str = "default") -> Iterator[None]:
    """Let this thread's connection take as long as it needs, for work that nobody waits for.

    To be entered outside of any transaction, and left there too.
    """
    from django.db import DatabaseError, connections

    connection = connections[using]
    connection.ensure_connection()
    raw: Any = connection.connection
    usual = getattr(raw, "answer_seconds", None)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    raw.answer_seconds = None
    try:
        yield
    finally:
        raw.answer_seconds = usual
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def own_connection_parameters(using: str = "default") -> dict[str, Any]:
    """Return the parameters of a connection that is psycopg's own, beside Django's pool."""
    from django.db import connections

    parameters: dict[str, Any] = dict(connections[using].get_connection_params())
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return parameters


async def in_time(work: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """Return what ``work`` on an asynchronous connection returns; ``TimeoutError`` when it is late.

    psycopg answers a cancellation by asking the server to end the statement, and waits long for one
    that hangs. The second cancellation ends that too, and closes the connection.
    """
    loop = asyncio.get_running_loop()
    task: Any = asyncio.current_task()
    ours = 0
    timers: list[asyncio.TimerHandle] = []

    def cancel() -> None:
        nonlocal ours
        ours += 1
        task.cancel()
        if ours == 1:
            timers.append(loop.call_later(0.2, cancel))

    # This task is cancelled itself, because another one would cost each batch several turns of the
    # event loop.
    timers.append(loop.call_later(seconds, cancel))
    try:
        return await work
    except asyncio.CancelledError:
        if ours and task.cancelling() == ours:
            raise TimeoutError("PostgreSQL does not answer.") from None
        raise
    finally:
        for timer in timers:
            timer.cancel()
        for _ in range(ours):
            task.uncancel()
