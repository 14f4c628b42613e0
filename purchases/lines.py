"""The lines of an upload: NDJSON, CSV or a JSON array in, a numbered object or error each out.

The readers expect hostile uploads. So every reader is linear: it reads each byte a bounded number
of times. It holds no more than a block of the file, and no parser gets more at once than the
longest line. An unreadable line gets an error of its own, if the format lets the reader find the
next line.

All of them yield the processor to other requests (:mod:`shop.core.pace`).
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from purchases.validation import FIELDS, REFUSED
from shop.core.cells import unguard
from shop.core.errors import ApplicationError, FieldError, PayloadTooLarge, ValidationFailed
from shop.core.pace import Pace
from shop.core.parsers import BOM, decode_json

LINES = 100_000
# Blank lines cost time too, so their number is limited.
PHYSICAL_LINES = 10 * LINES
LINE_MAX_BYTES = 16 * 1024
# The most strings, brackets and commas of a JSON array; a purchase has about thirty.
TOKENS = 50 * LINES
# A reader checks after this many lines or tokens whether it has to pause.
STEP = 16
# How often a reader reads a line again to find the end of a row of CSV.
READS = 4
_BLOCK = 256 * 1024
_BLANKS = " \t\xa0"

NDJSON = "application/x-ndjson"
CSV = "text/csv"
JSON = "application/json"
CONTENT_TYPES = (NDJSON, CSV, JSON)

# The number of a line, and its content or its error.
Line = tuple[int, Any]
# The number of a row's first line, its cells, and its error, if any.
Row = tuple[int, list[str], ApplicationError | None]


class TooManyLines(ApplicationError):
    """The body has more lines than one request may have; nothing was recorded."""

    status = 413
    code = "too_many_lines"
    detail = f"At most {LINES} lines are taken at once; nothing was recorded."


class LineTooLong(PayloadTooLarge):
    """A line is longer than any valid purchase."""

    detail = f"A line has at most {LINE_MAX_BYTES} bytes."


def _unreadable(detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("parse_error", detail)])


def _physical_lines(file: IO[bytes], most: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the numbered lines; cut a line that is too long a little above the limit.

    Raise ``TooManyLines`` after ``most`` lines.
    """
    number = 0
    pace = Pace()
    while line := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        if not number % STEP:
            pace.step()
        if number - 1 == most:
            raise TooManyLines()
        yield number, line.removeprefix(BOM) if number == 1 else line
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_MAX_BYTES)


# --- NDJSON ------------------------------------------------------------------------------------


def ndjson_lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield ``(line number, object or error)`` of NDJSON; blank lines are skipped."""
    for number, line in _physical_lines(file, PHYSICAL_LINES):
        if len(line) > LINE_MAX_BYTES:
            yield number, LineTooLong()
        elif line.strip():
            yield number, _decoded_json(line)


def _decoded_json(text: bytes) -> Any:
    try:
        return decode_json(text)
    except ApplicationError as error:
        return error


# --- A JSON array ------------------------------------------------------------------------------

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
_QUOTE, _COMMA = b'",'
_OPENING = frozenset(b"[{")


class _Malformed(ValueError):
    """The reader cannot find the next element."""


def json_lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield ``(place, element or error)`` of a JSON array.

    An element that is no JSON is an error of its own. Where the reader cannot find the next
    element, it ends with a last error.
    """
    number = 0
    try:
        for number, text in enumerate(_elements(file), 1):
            element = text.strip()
            if len(element) > LINE_MAX_BYTES:
                yield number, LineTooLong()
            else:
                yield number, _decoded_json(element)
    except _Malformed as error:
        yield number + 1, _unreadable(f"The array is malformed from here on: {error}.")


def _elements(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the text of each element of a JSON array, valid or not.

    The reader looks at strings, brackets and commas only; the decoder validates each element. Raise
    ``ValidationFailed`` where there is no array, and ``_Malformed`` for a wrong end, an element
    larger than a block, or too many tokens.
    """
    buffer = file.read(_BLOCK).removeprefix(BOM).lstrip()
    while not buffer and (block := file.read(_BLOCK)):
        buffer = block.lstrip()
    if not buffer.startswith(b"["):
        raise ValidationFailed([FieldError("not_a_list", "Expected a JSON array of purchases.")])
    start = place = 1
    depth = tokens = elements = 0
    pace = Pace()
    while True:
        for token in _TOKEN.finditer(buffer, place):
            at = token.start()
            kind = buffer[at]
            if kind == _QUOTE:
                if token.end() == at + 1:
                    # The string goes on in the next block.
                    place = at
                    break
            elif kind == _COMMA:
                if not depth:
                    yield buffer[start:at]
                    elements += 1
                    start = at + 1
            elif kind in _OPENING:
                depth += 1
            elif depth:
                depth -= 1
            else:
                if elements or buffer[start:at].strip():
                    yield buffer[start:at]
                _check_end(buffer[at:], file)
                return
            tokens += 1
            if not tokens % STEP:
                pace.step()
            place = token.end()
        if tokens > TOKENS:
            raise _Malformed("it has too many values")
        if len(buffer) - start > _BLOCK:
            raise _Malformed(f"an element is longer than {_BLOCK} bytes")
        block = file.read(_BLOCK)
        if not block:
            if not depth and buffer[place:].strip() == b"" != buffer[start:].strip():
                yield buffer[start:]
            raise _Malformed("it is not closed")
        buffer = buffer[start:] + block
        place -= start
        start = 0


def _check_end(rest: bytes, file: IO[bytes]) -> None:
    if not rest.startswith(b"]"):
        raise _Malformed("it ends with another bracket")
    rest = rest[1:]
    while not rest.strip():
        rest = file.read(_BLOCK)
        if not rest:
            return
    raise _Malformed("something follows the array")


# --- CSV ---------------------------------------------------------------------------------------


class _RowLines(Iterator[str]):
    """The input of a CSV reader, which remembers the lines of the current row."""

    def __init__(self, file: IO[bytes], most: int | None) -> None:
        self._coming = _physical_lines(file, most)
        # Lines to read again, each with the number of earlier reads.
        self._again: deque[tuple[int, bytes, int]] = deque()
        self._taken: list[tuple[int, bytes, int]] = []
        self._size = 0

    def begin(self) -> None:
        """Begin a row with the next line that is not blank."""
        self._taken.clear()
        self._size = 0

    def begin_again(self) -> None:
        """Begin a row with the line after the first that the current one has taken."""
        self._again.extendleft(
            (number, line, reads + 1) for number, line, reads in reversed(self._taken[1:])
        )
        self.begin()

    @property
    def number(self) -> int:
        """The number of the row's first line."""
        return self._taken[0][0]

    @property
    def text(self) -> str:
        """The row's first line."""
        return _text(self._taken[0][1])

    def __next__(self) -> str:
        number, line, reads = self._next()
        while not self._taken and not line.strip():
            number, line, reads = self._next()
        if self._taken and reads == READS:
            # Otherwise quotes that never close would make the reader read each line once for every
            # earlier line.
            self._again.appendleft((number, line, reads))
            raise csv.Error("a quote is not closed")
        self._taken.append((number, line, reads))
        self._size += len(line)
        if self._size > LINE_MAX_BYTES:
            if len(self._taken) == 1:
                raise LineTooLong()
            raise csv.Error(f"a quote is not closed within {LINE_MAX_BYTES} bytes")
        return _text(line)

    def _next(self) -> tuple[int, bytes, int]:
        return self._again.popleft() if self._again else (*next(self._coming), 0)


def _text(line: bytes) -> str:
    # Bytes that are not UTF-8 become lone surrogates, which validation refuses for their line.
    return line.decode("utf-8", "surrogateescape")


def csv_rows(file: IO[bytes], most: int | None = None, *, delimiter: str = ",") -> Iterator[Row]:
    """Yield the rows of CSV, the header included, without those that hold only blanks.

    An unreadable row has its first line as its only cell, and the reader goes on with the next
    line. So an open quote spoils no other line. Raise ``TooManyLines`` after ``most`` lines.
    """
    lines = _RowLines(file, most)
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, LineTooLong) as raised:
            error = raised if isinstance(raised, LineTooLong) else _unreadable(_reason(raised))
            yield lines.number, [lines.text.rstrip("\r\n")], error
            lines.begin_again()
            reader = csv.reader(lines, strict=True, delimiter=delimiter)
        else:
            if any(cell.strip(_BLANKS) for cell in row):
                yield lines.number, row, None


def _reason(error: csv.Error) -> str:
    if "new-line" in str(error):
        # The library advises a program how to open files.
        return "A line ends with a carriage return alone, or holds one."
    return f"{error}."


def csv_header(rows: Iterator[Row]) -> list[str]:
    """Return the cells of the first row; raise ``ValidationFailed`` if it is unreadable."""
    _, header, error = next(rows, (1, [], None))
    if error is not None:
        raise _unreadable(f"The header: {error}")
    return header


def csv_lines(file: IO[bytes], key: tuple[str, ...] = ()) -> Iterator[Line]:
    """Yield ``(line number, row or error)`` of CSV whose first line names the columns.

    A row holds the fields of a purchase and the columns of ``key``. Raise ``ValidationFailed``
    for a header without price or a column of the key, or with a name twice.
    """
    rows = csv_rows(file, PHYSICAL_LINES)
    columns = [name.strip() for name in csv_header(rows)]
    found = f"it names {', '.join(columns)[:500]}"
    if "price" not in columns or len(set(columns)) != len(columns):
        raise _bad_header(f"The first line must name each column once, with price; {found}.")
    if missing := [name for name in key if name not in columns]:
        raise _bad_header(f"The first line has no column {', '.join(missing)}; {found}.")
    # Columns that are not used cost nothing, however many there are.
    wanted = [(columns.index(name), name) for name in {*FIELDS, *REFUSED, *key} if name in columns]
    for number, row, error in rows:
        if error is not None:
            yield number, error
        elif len(row) != len(columns):
            yield number, _unreadable(f"Expected {len(columns)} fields, found {len(row)}.")
        else:
            # An empty cell means that the field is missing.
            yield number, {name: unguard(row[place]) for place, name in wanted if row[place] != ""}


def _bad_header(detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("invalid_header", detail)])


READERS = {NDJSON: ndjson_lines, CSV: csv_lines, JSON: json_lines}
