"""Exports: a list of purchases of any length, in the memory of one block.

PostgreSQL writes the rows and streams them with ``COPY``. A short list is answered at once; a long
one is handed to the event loop (:mod:`shop.streaming`), which reads from PostgreSQL only as fast
as the client reads.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql.psycopg_any import mogrify
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from accounts.access import Caller
from purchases.formats import Format
from purchases.models import Purchase
from shop.admission import account_holder
from shop.database import Unanswered, connect, unhurried
from shop.streaming import streamed

AT_ONCE = 1000
"""How many purchases are answered at once."""
BLOCK_BYTES = 64 * 1024
SILENCE_SECONDS = 120.0
"""How long PostgreSQL may look for the purchases of the next block."""
CANCEL_SECONDS = 3.0

_FIELDS = (
    "id", "customer_id", "item", "quantity", "price", "currency", "timestamp", "received_at",
)  # fmt: skip
# Where each row is one text, binary is the text itself behind six bytes of lengths.
_COPY = "COPY ({}) TO STDOUT (FORMAT binary)"
_FILE_HEADER_BYTES = 19
_ROW_HEADER_BYTES = 6
# The order comes from an index, because to sort a large ledger would take a temporary file as
# large. PostgreSQL sees by itself, each second, whether we are still there.
_OPTIONS = (
    " -c default_transaction_read_only=on -c statement_timeout=0 -c enable_sort=off"
    " -c max_parallel_workers_per_gather=0 -c client_connection_check_interval=1s"
)
_OPTIONS_ANY_ORDER = _OPTIONS.replace("enable_sort=off", "random_page_cost=1.1")


def answer(
    request: HttpRequest,
    queryset: QuerySet[Purchase],
    format: Format,
    *,
    caller: Caller,
    keys_first: bool = False,
) -> HttpResponseBase:
    """Answer with the purchases of an ordered queryset.

    ``keys_first`` is for filters that an index knows but does not keep in the queryset's order.
    """
    headers = {"Content-Type": format.content_type, "Cache-Control": "private, no-store"}
    if format.filename:
        headers["Content-Disposition"] = f'attachment; filename="{format.filename}"'
    if request.method == "HEAD":
        return StreamingHttpResponse(iter(()), headers=headers)
    found = queryset[: AT_ONCE + 1]
    if keys_first:
        whole = Purchase.objects.using(queryset.db).order_by(*queryset.query.order_by)
        found = whole.filter(pk__in=found.values("pk"))
    with connections[queryset.db].cursor() as cursor:
        cursor.execute(_statement(found, format))
        rows = [row.encode() for (row,) in cursor.fetchall()]
    if len(rows) > AT_ONCE:
        export = Export(
            holder=account_holder(caller.id),
            statement=_COPY.format(_statement(queryset, format)),
            using=queryset.db,
            format=format,
            options=_OPTIONS_ANY_ORDER if keys_first else _OPTIONS,
        )
        return streamed(request, export, **headers)
    encoder = format.encoder()
    body = [encoder.begin(), encoder.add(rows) if rows else b"", encoder.end()]
    return HttpResponse(b"".join(body), headers=headers)


def _statement(queryset: QuerySet[Purchase], format: Format) -> str:
    """Return the SELECT that writes the queryset's purchases, one a row, in its order."""
    sql, parameters = queryset.values_list(*_FIELDS).query.sql_with_params()
    order = ", ".join(
        f'p."{name.removeprefix("-")}" {"DESC" if name.startswith("-") else "ASC"}'
        for name in cast(tuple[str, ...], queryset.query.order_by)
    )
    connection = connections[queryset.db]
    connection.ensure_connection()
    # The accounts are joined after the order is made, so that the order is an index's.
    return (
        f"SELECT {format.row} FROM ({mogrify(sql, parameters, connection)}) AS p"  # noqa: S608
        f" JOIN LATERAL (SELECT {format.names} AS names FROM accounts_user"
        f" WHERE id = p.customer_id OFFSET 0) AS c ON true ORDER BY {order}"
    )


@dataclass(frozen=True, slots=True)
class Export:
    """A long export; see :class:`shop.streaming.Source`."""

    holder: str
    statement: str
    using: str
    format: Format
    options: str

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield the export, over a connection of its own; raise what PostgreSQL raises."""
        connection = await connect(self.using, self.options)
        try:
            async with connection.cursor().copy(self.statement) as copy:
                try:
                    encoder = self.format.encoder()
                    block = encoder.begin()
                    header = _FILE_HEADER_BYTES + _ROW_HEADER_BYTES
                    while rows := await _rows(copy, header):
                        header = _ROW_HEADER_BYTES
                        yield block + encoder.add(rows)
                        block = b""
                    yield block + encoder.end()
                except BaseException:
                    # Left to itself, psycopg would read what PostgreSQL has still to say.
                    await _end(connection)
                    raise
        finally:
            await connection.close()

    def blocks_here(self) -> Iterator[bytes]:
        """Yield the export over the calling thread's connection."""
        encoder = self.format.encoder()
        yield encoder.begin()
        with unhurried(self.using), connections[self.using].cursor() as cursor:
            header = _FILE_HEADER_BYTES + _ROW_HEADER_BYTES
            with cast(Any, cursor).copy(self.statement) as copy:
                for row in copy:
                    if len(row) > header:
                        yield encoder.add([row[header:]])
                    header = _ROW_HEADER_BYTES
        yield encoder.end()


async def _rows(copy: psycopg.AsyncCopy, header: int) -> list[memoryview]:
    """Return the next rows, about a block of them; none at the end."""
    rows: list[memoryview] = []
    size = 0
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            while size < BLOCK_BYTES and (row := memoryview(await copy.read())):
                # What is shorter is the end of the file.
                if len(row) > header:
                    rows.append(row[header:])
                    size += len(row)
                header = _ROW_HEADER_BYTES
    except TimeoutError:
        raise Unanswered("PostgreSQL does not answer.") from None
    return rows


async def _end(connection: psycopg.AsyncConnection[Any]) -> None:
    """End whatever the connection is doing, and the connection."""
    with contextlib.suppress(Exception):
        await connection.cancel_safe(timeout=CANCEL_SECONDS)
    await connection.close()
