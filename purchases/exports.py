"""Exports: lists of purchases of any length, in the memory of one block.

PostgreSQL writes the rows and streams them with ``COPY``. The view answers a short list at once. It
hands a long one to the event loop (:mod:`shop.server.streaming`), which reads from PostgreSQL only
as fast as the client reads.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql.psycopg_any import mogrify
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus
from psycopg.waiting import Wait

from accounts.access import Caller
from purchases.formats import Format
from purchases.models import Purchase
from shop.core import kept, pace
from shop.core.admission import account_holder
from shop.core.database import Unanswered, no_statement_timeout
from shop.core.merged import Merged
from shop.server.streaming import streamed

AT_ONCE = 1000
"""A list with more purchases than this is streamed."""
BLOCK_BYTES = 64 * 1024
ANSWER_SECONDS = 5.0
"""How long PostgreSQL may take to begin a transaction."""
SILENCE_SECONDS = 120.0
"""How long PostgreSQL may take to find the purchases of the next block."""
CANCEL_SECONDS = 3.0
GATHER_SECONDS = 0.001
"""How long PostgreSQL may write ahead. It sends 8 kB at once, and a wait for each costs more."""

T = TypeVar("T")

_FIELDS = (
    "id", "customer_id", "item", "quantity", "price", "currency", "timestamp", "received_at",
)  # fmt: skip
# Each row is one text, so the binary format is six bytes of lengths and the text itself.
COPY = "COPY ({}) TO STDOUT (FORMAT binary)"
_FILE_HEADER_BYTES = 19
_ROW_HEADER_BYTES = 6
# PostgreSQL checks each second whether our connection still exists.
SETTINGS = (
    "BEGIN READ ONLY; SET LOCAL statement_timeout = 0;"
    " SET LOCAL max_parallel_workers_per_gather = 0;"
    " SET LOCAL client_connection_check_interval = '1s';"
)
# Whoever looks at PostgreSQL's connections sees what an idle one is for.
OVER = "COMMIT -- of an export; kept for the next"
# An index must give the order, because a sort of a large ledger would take an equally large
# temporary file. Only the few rows that an index of prices finds are sorted.
_IN_ORDER = f"{SETTINGS} SET LOCAL enable_sort = off"
_KEYS_FIRST = f"{SETTINGS} SET LOCAL random_page_cost = 1.1"


def answer(
    request: HttpRequest,
    purchases: Merged[Purchase],
    format: Format,
    *,
    caller: Caller,
    keys_first: bool = False,
) -> HttpResponseBase:
    """Answer with the queryset's purchases, in its order.

    ``keys_first`` is for filters that an index knows but does not keep in that order.
    """
    headers = {"Content-Type": format.content_type, "Cache-Control": "private, no-store"}
    if format.filename:
        headers["Content-Disposition"] = f'attachment; filename="{format.filename}"'
    if request.method == "HEAD":
        return StreamingHttpResponse(iter(()), headers=headers)
    # To count keys costs less than to write rows that are thrown away where more follow.
    rows: list[bytes] = []
    streams = purchases.first_keys(AT_ONCE + 1).count() > AT_ONCE
    if not streams:
        rows = _first_rows(purchases, format, keys_first=keys_first)
    if streams or len(rows) > AT_ONCE:
        export = Export(
            holder=account_holder(caller.id),
            statement=COPY.format(_statement(purchases.whole(), format)),
            using=purchases.db,
            format=format,
            settings=_KEYS_FIRST if keys_first else _IN_ORDER,
        )
        return streamed(request, export, **headers)
    encoder = format.encoder()
    body = [encoder.begin(), encoder.add(rows) if rows else b"", encoder.end()]
    return HttpResponse(b"".join(body), headers=headers)


def _first_rows(purchases: Merged[Purchase], format: Format, *, keys_first: bool) -> list[bytes]:
    """Return the first rows, one more than are answered at once."""
    if keys_first:
        whole = Purchase.objects.using(purchases.db).order_by(*purchases.order)
        found = whole.filter(pk__in=purchases.first_keys(AT_ONCE + 1))[: AT_ONCE + 1]
    else:
        found = purchases.first_rows(AT_ONCE + 1)
    with connections[purchases.db].cursor() as cursor:
        cursor.execute(_statement(found, format))
        return [row.encode() for (row,) in cursor.fetchall()]


def _statement(queryset: QuerySet[Purchase], format: Format) -> str:
    """Return the SELECT that writes the queryset's purchases, one per row, in its order."""
    sql, parameters = queryset.values_list(*_FIELDS).query.sql_with_params()
    order = ", ".join(
        f'p."{name.removeprefix("-")}" {"DESC" if name.startswith("-") else "ASC"}'
        for name in cast(tuple[str, ...], queryset.query.order_by)
    )
    connection = connections[queryset.db]
    connection.ensure_connection()
    # The accounts are joined after the ordering, so that an index can give the order.
    return (
        f"SELECT {format.row} FROM ({mogrify(sql, parameters, connection)}) AS p"  # noqa: S608
        f" JOIN LATERAL (SELECT {format.names} AS names FROM accounts_user"
        f" WHERE id = p.customer_id OFFSET 0) AS c ON true ORDER BY {order}"
    )


@dataclass(frozen=True, slots=True)
class Export:
    """A long export; see :class:`shop.server.streaming.Source`."""

    holder: str
    statement: str
    using: str
    format: Format
    settings: str

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield the export, over a connection of its own; raise PostgreSQL's errors."""
        connection = await kept.take(self.using)
        copy = connection.cursor().copy(self.statement)
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    await _answered(connection.execute(self.settings), ANSWER_SECONDS)
                    await _answered(stack.enter_async_context(copy), SILENCE_SECONDS)
                    rows = _Rows(connection)
                    encoder = self.format.encoder()
                    block = encoder.begin()
                    began = time.monotonic()
                    while found := await rows.next():
                        block += encoder.add(found)
                        await pace.rested(time.monotonic() - began, self.holder)
                        yield block
                        block = b""
                        began = time.monotonic()
                except BaseException:
                    # Otherwise psycopg would read the rest of PostgreSQL's output.
                    await _end(connection)
                    raise
            await _answered(connection.execute(OVER), ANSWER_SECONDS)
        except BaseException:
            await connection.close()
            raise
        kept.keep(self.using, connection)
        yield block + encoder.end()

    def blocks_here(self) -> Iterator[bytes]:
        """Yield the export over the calling thread's connection."""
        encoder = self.format.encoder()
        yield encoder.begin()
        with no_statement_timeout(self.using), connections[self.using].cursor() as cursor:
            header = _FILE_HEADER_BYTES + _ROW_HEADER_BYTES
            with cast(Any, cursor).copy(self.statement) as copy:
                for row in copy:
                    if len(row) > header:
                        yield encoder.add([row[header:]])
                    header = _ROW_HEADER_BYTES
        yield encoder.end()


class _Rows:
    """The output of a running ``COPY``, about a block at a time.

    psycopg's own ``read`` runs a coroutine for each row, which takes more time than all the rest.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._header = _FILE_HEADER_BYTES + _ROW_HEADER_BYTES
        self._ended = False

    async def next(self) -> list[memoryview]:
        """Return the next rows; none at the end. Raise ``Unanswered`` after a timeout."""
        return await _answered(self._next(), SILENCE_SECONDS)

    async def _next(self) -> list[memoryview]:
        rows: list[memoryview] = []
        get = self._connection.pgconn.get_copy_data
        in_vain = 0
        bytes_left = 0 if self._ended else BLOCK_BYTES
        while bytes_left > 0:
            size, row = get(1)
            if size > 0:
                # A shorter message is the end of the file.
                if size > self._header:
                    rows.append(row[self._header :])
                    bytes_left -= size
                self._header = _ROW_HEADER_BYTES
                in_vain = 0
            elif size == 0:
                await self._receive(in_vain)
                in_vain += 1
            else:
                await self._connection.wait(self._end())
                break
        return rows

    async def _receive(self, in_vain: int) -> None:
        """Take the data that PostgreSQL has sent, after so many reads without a row."""
        if in_vain == 1:
            await asyncio.sleep(GATHER_SECONDS)
        elif in_vain > 1:
            await self._connection.wait(_readable())
        self._connection.pgconn.consume_input()

    def _end(self) -> PQGen[None]:
        """Take the result of the statement; raise PostgreSQL's error."""
        self._ended = True
        connection = self._connection.pgconn
        while True:
            while connection.is_busy():
                yield from _readable()
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)


def _readable() -> PQGen[None]:
    while not (yield Wait.R):
        pass


async def _answered(answer: Awaitable[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise Unanswered("PostgreSQL does not answer.") from None


async def _end(connection: psycopg.AsyncConnection[Any]) -> None:
    """Cancel the connection's statement, and close the connection."""
    with contextlib.suppress(Exception):
        await connection.cancel_safe(timeout=CANCEL_SECONDS)
    await connection.close()
