"""Many purchases at once: a body of NDJSON, CSV or a JSON array, read line by line.

The body is put aside on disk first, so that a slow client holds no transaction open, and is then
recorded in one transaction: either every good line is in the ledger or, with an error, none is.
Memory stays flat: lines are read and recorded in chunks.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar

from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.access import Caller
from purchases.lines import LINES, Line, TooManyLines
from purchases.services import (
    Batch,
    Customers,
    Entry,
    Outcome,
    Recorded,
    ledger_transaction,
    with_line_key,
)
from purchases.validation import parse_purchase
from shop.errors import ApplicationError, PayloadTooLarge, ValidationFailed

ERRORS_SHOWN = 1000
BODY_MAX_BYTES = 64 * 1024 * 1024
CHUNK = 2000
_BLOCK = 256 * 1024
_IN_MEMORY = 1024 * 1024


class IncompleteBody(ApplicationError):
    """The body ended before its Content-Length; nothing was recorded."""

    code = "incomplete_body"
    detail = "The request body ended early; nothing was recorded."


@dataclass(slots=True)
class BulkResult:
    """What became of the lines; ``errors`` holds the first of those that were rejected."""

    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def count(self, line: int, outcome: Outcome) -> None:
        """Count a line by its outcome, and keep its errors if there is room."""
        if isinstance(outcome, Recorded):
            if outcome.replayed:
                self.duplicates += 1
            else:
                self.recorded += 1
            return
        self.rejected += 1
        if len(self.errors) < ERRORS_SHOWN:
            self.errors.append(
                {
                    "line": line,
                    "errors": [
                        {"code": item.code, "detail": item.detail, "attr": item.attr}
                        for item in outcome.errors
                    ],
                }
            )


Chunk = list[tuple[int, Entry | ApplicationError]]
T = TypeVar("T")


def spool(stream: Any, length: int | None) -> IO[bytes]:
    """Return a temporary file with the whole body of a request.

    ``length`` is its Content-Length, if it has one. Raises ``PayloadTooLarge`` and
    ``IncompleteBody``.
    """
    if length is not None and length > BODY_MAX_BYTES:
        raise PayloadTooLarge()
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > BODY_MAX_BYTES:
            file.close()
            raise PayloadTooLarge()
        file.write(block)
    if length is not None and size != length:
        file.close()
        raise IncompleteBody()
    file.seek(0)
    return file


class _Undo(Exception):
    """Rolls a dry run back."""


def record_lines(
    lines: Iterator[Line],
    *,
    caller: Caller,
    idempotency_key: str | None = None,
    dry_run: bool = False,
) -> BulkResult:
    """Record the good ones of many lines in one transaction and return what became of them all.

    Raises ``TooManyLines`` and whatever the database raises, with nothing recorded, and
    ``OutcomeUnknown`` where it is not known whether the commit came through.
    """
    result = BulkResult()
    try:
        with ledger_transaction():
            with connection.cursor() as cursor:
                # Foreign keys are checked with each chunk, while the next one is being read,
                # instead of all together at the end.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            _record_chunks(ahead(chunks(_entries(lines, caller, idempotency_key))), result)
            if dry_run:
                raise _Undo
    except _Undo:
        pass
    return result


def _entries(
    lines: Iterator[Line], caller: Caller, idempotency_key: str | None
) -> Iterator[tuple[int, Entry | ApplicationError]]:
    for count, (number, data) in enumerate(lines, 1):
        if count > LINES:
            raise TooManyLines()
        if isinstance(data, ApplicationError):
            yield number, data
            continue
        try:
            purchase = parse_purchase(data, now=timezone.now())
        except ValidationFailed as error:
            yield number, error
        else:
            yield number, with_line_key(Entry(caller, purchase, idempotency_key), number)


def chunks(items: Iterator[T]) -> Iterator[list[T]]:
    """Yield the items, as many at a time as one statement records."""
    while chunk := list(islice(items, CHUNK)):
        yield chunk


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, making the next in a thread while the caller is busy with this one.

    So PostgreSQL writes one chunk while the next is read and validated. At most two are in memory.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="bulk") as thread:
        coming: Future[Any] = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item


def _record_chunks(chunks: Iterator[Chunk], result: BulkResult) -> None:
    """Record the chunks one after the other, each prepared while the one before is written."""
    customers = Customers()
    writing: tuple[Chunk, Batch, Future[None]] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="bulk") as thread:
        for chunk in chunks:
            try:
                batch = Batch([item for _, item in chunk if isinstance(item, Entry)], customers)
            except DatabaseError:
                if writing is not None:
                    # The write has failed, and with it the transaction.
                    writing[2].result()
                raise
            if writing is not None:
                _count(*writing, result)
            writing = (chunk, batch, thread.submit(batch.write))
        if writing is not None:
            _count(*writing, result)


def _count(chunk: Chunk, batch: Batch, written: "Future[None]", result: BulkResult) -> None:
    written.result()
    outcomes = iter(batch.outcomes())
    for number, item in chunk:
        result.count(number, next(outcomes) if isinstance(item, Entry) else item)
