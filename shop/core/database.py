"""Connections to PostgreSQL that do not wait for ever.

PostgreSQL ends statements that take too long. But a server that hangs, or a machine that has
vanished behind an open connection, never answers. Connections made here stop waiting by themselves.
"""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.abc import PQGen

Result = TypeVar("Result")

# End a connection whose server has vanished: 9 s after its last sign of life, or 8 s after
# something was sent. The first probe is sent after 5 s.
LOST_SERVER = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}

CHECK_SECONDS = 1.0
"""How long the pool waits for an answer before it gives a connection to a caller."""

ANSWER_MARGIN = 0.4
"""How much longer a client waits for an answer than a statement may take."""


class Unanswered(psycopg.OperationalError):
    """PostgreSQL did not answer in time, so the outcome of the statement is unknown."""


class CommitLost(psycopg.OperationalError):
    """The connection broke during a commit, so its outcome is unknown."""


def is_lost(error: BaseException | None) -> bool:
    """Return whether the outcome of the statement that failed by ``error`` is unknown.

    PostgreSQL sends a state with each refusal, and then nothing was recorded. The exceptions are
    states of class 57P, by which a server says that it is shutting down.
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return state is None or state.startswith("57P")


class Connection(psycopg.Connection[Any]):
    """A connection that is closed if an answer takes longer than ``answer_seconds``.

    ``None`` sets no limit, for work that has no limit in PostgreSQL either. A connection that
    breaks at a commit raises ``CommitLost``.
    """

    answer_seconds: float | None = None
    demoted_at: ClassVar[float] = float("-inf")
    """When this process last found PostgreSQL read-only."""

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
            # The answer may still come, and must not be taken for the answer to the next statement.
            self.pgconn.finish()
            raise Unanswered("PostgreSQL does not answer.") from None
        except psycopg.errors.ReadOnlySqlTransaction:
            # A demoted primary stays read-only for its open connections, so the pool opens new
            # ones.
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
        # The pool sends an empty query to ask whether the connection is alive.
        if self.opened_at <= Connection.demoted_at:
            self.pgconn.finish()
            raise psycopg.OperationalError("PostgreSQL was read-only after this was opened.")
        usual, self.answer_seconds = self.answer_seconds, CHECK_SECONDS
        try:
            return super().execute(query, *args, **kwargs)
        finally:
            self.answer_seconds = usual


def connection_class(answer_seconds: float | None) -> type[Connection]:
    """Return a class of connections with that limit."""
    return type("Connection", (Connection,), {"answer_seconds": answer_seconds})


async def connect(using: str = "default", options: str = "") -> psycopg.AsyncConnection[Any]:
    """Return a connection of the event loop to one of Django's databases, in autocommit mode.

    ``options`` are added to the ``options`` of libpq.
    """
    parameters = own_connection_parameters(using)
    parameters["options"] += options
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


@contextlib.contextmanager
def statement_deadline(using: str, seconds: float) -> Iterator[None]:
    """Let each statement of this transaction take so long at most, instead of the usual time.

    Enter and leave the block inside the transaction.
    """
    from django.db import connections

    raw: Any = connections[using].connection
    usual = getattr(raw, "answer_seconds", None)
    with connections[using].cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
    if usual is not None:
        # PostgreSQL ends the statement before the client stops waiting, as it usually does.
        raw.answer_seconds = seconds + ANSWER_MARGIN
    try:
        yield
    finally:
        raw.answer_seconds = usual


@contextlib.contextmanager
def no_statement_timeout(using: str = "default") -> Iterator[None]:
    """Let statements of this thread's connection take as long as they need, during the block.

    No client may wait for such work. Enter and leave the block outside of transactions.
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


def execute_prepared(statement: str, parameters: Any) -> None:
    """Execute a statement of Django's connection that gives no rows.

    PostgreSQL keeps the plan for the connection, whereas Django's cursors make it plan each time.
    """
    with _preparing() as cursor:
        cursor.execute(statement, parameters, prepare=True)


def fetch_prepared(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is executed as by ``execute_prepared``."""
    with _preparing() as cursor:
        return cursor.execute(statement, parameters, prepare=True).fetchall()


@contextlib.contextmanager
def _preparing() -> Iterator[psycopg.Cursor[Any]]:
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    # Django lets its connections prepare nothing. With a threshold for whole connections,
    # PostgreSQL took 40 % longer for single buys.
    raw.prepare_threshold = 0
    try:
        with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
            yield cursor
    finally:
        raw.prepare_threshold = None


@contextlib.contextmanager
def one_round_trip() -> Iterator[None]:
    """Send the statements of the block without waiting for the answer to each.

    They are over at the end of the block, which raises the first error of them.
    """
    from django.db import connection

    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def own_connection_parameters(using: str = "default") -> dict[str, Any]:
    """Return the parameters of a connection outside Django's pool."""
    from django.db import connections

    parameters: dict[str, Any] = dict(connections[using].get_connection_params())
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return parameters


async def in_time(work: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """Return the result of ``work`` on an asynchronous connection, or raise ``TimeoutError``.

    psycopg answers a cancellation by asking the server to end the statement, and waits long for a
    server that hangs. The second cancellation ends that wait, and closes the connection.
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

    # Cancel this very task, because another task would cost each batch several turns of the event
    # loop.
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
