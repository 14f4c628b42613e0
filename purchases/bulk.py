"""Many purchases at once: a body of NDJSON, CSV or a JSON array, read line by line.

The body is put aside on disk first, so that a slow client holds no transaction open, and is then
recorded in one transaction: either every good line is in the ledger or, with an error, none is.
Memory stays flat: lines are read and recorded in chunks.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar

import ijson
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.access import Caller
from purchases.cells import unguard
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
from shop.errors import ApplicationError, FieldError, PayloadTooLarge, ValidationFailed
from shop.parsers import decode_json

LINES = 100_000
ERRORS_SHOWN = 1000
LINE_MAX_BYTES = 16 * 1024
BODY_MAX_BYTES = 64 * 1024 * 1024
ELEMENT_MAX_VALUES = 200
ELEMENT_MAX_DEPTH = 10
CHUNK = 2000
_BLOCK = 256 * 1024
_IN_MEMORY = 1024 * 1024

NDJSON = "application/x-ndjson"
CSV = "text/csv"
JSON = "application/json"
CONTENT_TYPES = (NDJSON, CSV, JSON)


class TooManyLines(ApplicationError):
    """The body has more lines than one request may have; nothing was recorded."""

    status = 413
    code = "too_many_lines"
    detail = f"At most {LINES} lines are taken at once; nothing was recorded."


class LineTooLong(PayloadTooLarge):
    """A line is longer than any purchase."""

    detail = f"A line has at most {LINE_MAX_BYTES} bytes."


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


# The number of a line, and what it says or what is wrong with it.
Line = tuple[int, Any]
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


def _physical_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the numbered lines; of one that is longer than allowed, a little more than allowed."""
    number = 0
    while line := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        yield number, line
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_MAX_BYTES)


def ndjson_lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield ``(line number, object or error)`` of NDJSON; blank lines are skipped."""
    for number, line in _physical_lines(file):
        if len(line) > LINE_MAX_BYTES:
            yield number, LineTooLong()
        elif line.strip():
            try:
                yield number, decode_json(line)
            except ApplicationError as error:
                yield number, error


# The number of a row's first line, its cells, and what is wrong with it, if anything is.
Row = tuple[int, list[str], ApplicationError | None]


class _RowLines(Iterator[str]):
    """What a CSV reader reads, with a memory of the lines that its current row has taken."""

    def __init__(self, file: IO[bytes]) -> None:
        self._coming = _physical_lines(file)
        self._again: deque[tuple[int, bytes]] = deque()
        self._taken: list[tuple[int, bytes]] = []
        self._size = 0

    def begin(self) -> None:
        """Begin a row with the next line that is not blank."""
        self._taken.clear()
        self._size = 0

    def begin_again(self) -> None:
        """Begin a row with the line after the first that the current one has taken."""
        self._again.extendleft(reversed(self._taken[1:]))
        self.begin()

    @property
    def number(self) -> int:
        """The number of the row's first line."""
        return self._taken[0][0]

    @property
    def text(self) -> str:
        """The row's first line."""
        return _decoded(*self._taken[0])

    def __next__(self) -> str:
        number, line = self._next()
        while not self._taken and not line.strip():
            number, line = self._next()
        self._taken.append((number, line))
        self._size += len(line)
        if self._size > LINE_MAX_BYTES:
            if len(self._taken) == 1:
                raise LineTooLong()
            raise csv.Error(f"a quote is not closed within {LINE_MAX_BYTES} bytes")
        return _decoded(number, line)

    def _next(self) -> tuple[int, bytes]:
        return self._again.popleft() if self._again else next(self._coming)


def _decoded(number: int, line: bytes) -> str:
    # Bytes that are not UTF-8 become lone surrogates, which validation refuses by line.
    return line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def csv_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the rows of CSV, the header included; blank lines between them are skipped.

    A row that cannot be read has its first line as its only cell, and reading goes on with the line
    after: a quote that stays open takes no other line with it.
    """
    lines = _RowLines(file)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, LineTooLong) as raised:
            error = raised if isinstance(raised, LineTooLong) else _unreadable(f"{raised}.")
            yield lines.number, [lines.text.rstrip("\r\n")], error
            lines.begin_again()
            reader = csv.reader(lines, strict=True)
        else:
            yield lines.number, row, None


def csv_header(rows: Iterator[Row]) -> list[str]:
    """Return the cells of the first row; raise ``ValidationFailed`` if it cannot be read."""
    _, header, error = next(rows, (1, [], None))
    if error is not None:
        raise _unreadable(f"The header: {error}")
    return header


def _unreadable(detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("parse_error", detail)])


def csv_lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield ``(line number, row or error)`` of CSV whose first line names the columns."""
    rows = csv_rows(file)
    columns = [name.strip() for name in csv_header(rows)]
    if "price" not in columns or len(set(columns)) != len(columns):
        raise ValidationFailed(
            [FieldError("invalid_header", "The first line must name each column once, with price.")]
        )
    for number, row, error in rows:
        yield _csv_row(number, columns, row) if error is None else (number, error)


def _csv_row(number: int, columns: list[str], row: list[str]) -> Line:
    if len(row) != len(columns):
        return number, _unreadable(f"Expected {len(columns)} fields, found {len(row)}.")
    # An empty cell is a field that was left out.
    return number, {
        name: unguard(value) for name, value in zip(columns, row, strict=True) if value != ""
    }


def json_lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield ``(place, element)`` of a JSON array; a syntax error ends it with an error."""
    first = file.read(1)
    while first and first in b" \t\r\n":
        first = file.read(1)
    if first != b"[":
        raise ValidationFailed([FieldError("not_a_list", "Expected a JSON array of purchases.")])
    file.seek(-1, io.SEEK_CUR)
    number = 0
    try:
        for number, item in enumerate(_elements(file), 1):
            yield number, item
    except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError) as error:
        detail = f"The array is malformed from here on: {str(error).splitlines()[0][:200]}"
        yield number + 1, _unreadable(detail)


def _elements(file: IO[bytes]) -> Iterator[Any]:
    """Yield the elements of a JSON array; ``ValueError`` for one too deep or too large to be ours.

    This is built on the parser's plain events: ijson's own builder keeps the path to every value,
    which for deep nesting takes memory in the square of the depth.
    """
    events = ijson.basic_parse(file)
    next(events)
    containers: list[Any] = []
    keys: list[str] = []
    values = 0
    for event, value in events:
        if event == "map_key":
            keys[-1] = value
            continue
        if event in ("end_map", "end_array"):
            if not containers:
                # What follows the array is still read, so that it cannot be anything.
                continue
            value = containers.pop()
            keys.pop()
            if not containers:
                yield value
                values = 0
            continue
        values += 1
        if values > ELEMENT_MAX_VALUES:
            raise ValueError("an element has too many values")
        opened = event in ("start_map", "start_array")
        if opened:
            value = {} if event == "start_map" else []
        if containers:
            parent = containers[-1]
            if isinstance(parent, dict):
                parent[keys[-1]] = value
            else:
                parent.append(value)
        if opened:
            if len(containers) == ELEMENT_MAX_DEPTH:
                raise ValueError("an element is nested too deeply")
            containers.append(value)
            keys.append("")
        elif not containers:
            yield value
            values = 0


READERS = {NDJSON: ndjson_lines, CSV: csv_lines, JSON: json_lines}


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


__all__ = [
    "CONTENT_TYPES",
    "READERS",
    "BulkResult",
    "Row",
    "ahead",
    "chunks",
    "csv_header",
    "csv_rows",
    "record_lines",
    "spool",
]
