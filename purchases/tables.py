"""Reading tables of other programs: encodings, delimiters, and lines before the header."""

import codecs
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from purchases.lines import LINE_MAX_BYTES, Row, csv_header, csv_rows
from shop.core.errors import FieldError, ValidationFailed
from shop.core.parsers import BOM

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "\\t": "\t", "\t": "\t", "|": "|"}
_BINARY = {
    b"PK\x03\x04": "The file is a workbook or an archive; save it as CSV.",
    b"\xd0\xcf\x11\xe0": "The file is a workbook; save it as CSV.",
    b"\x1f\x8b": "The file is compressed; unpack it first.",
}
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 64 * 1024

# A character that never occurs in text replaces bytes that the encoding cannot decode.
codecs.register_error("shop.unreadable", lambda error: ("\udcff", getattr(error, "end", 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The format of a file; a delimiter of ``None`` means that of ``sep=``, or a comma."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    skip_lines: int = 0


@dataclass(slots=True)
class Table:
    """An open file: its header, its rows, and the lines before the header.

    ``header`` holds the stripped names of the columns. ``delimiter`` is the file's own.
    """

    preamble: bytes
    header: list[str]
    delimiter: str
    rows: Iterator[Row]


def text_encoding(name: str) -> str | None:
    """Return the codec's canonical name if ``name`` is an encoding of text, else ``None``."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return codec.name if codec._is_text_encoding else None


class _Transcoded(io.RawIOBase):
    """The bytes of a file in another encoding, as UTF-8; lines may end with ``\\r`` alone."""

    def __init__(self, source: IO[bytes], encoding: str, line_end: str = "\n") -> None:
        self._source = source
        self._line_end = line_end
        self._decoder = codecs.getincrementaldecoder(encoding)("shop.unreadable")
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._ended:
            block = self._source.read(_BLOCK)
            self._ended = not block
            text = self._decoder.decode(block, final=self._ended)
            text = text.replace(self._line_end, "\n")
            self._left = text.encode("utf-8", "surrogatepass")
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def open_table(file: io.BufferedReader, dialect: Dialect) -> Table:
    """Return the table in a file; raise ``ValidationFailed`` if it is unreadable."""
    start = file.peek(_BLOCK)[:4]
    for signature, told in _BINARY.items():
        if start.startswith(signature):
            raise _refused(told)
    if dialect.encoding != "utf-8":
        file = io.BufferedReader(_Transcoded(file, dialect.encoding), _BLOCK)
    head = file.peek(_BLOCK)
    if head[:2] in _UTF_16:
        raise _refused("The file is in UTF-16; give --encoding utf-16.")
    if head.count(b"\x00", 0, 4096) > len(head[:4096]) // 8:
        raise _refused("The file is no text in UTF-8; give its --encoding, such as utf-16-le.")
    if b"\r" in head and b"\n" not in head:
        # Excel for the Mac, and old tills, end a line like this.
        file = io.BufferedReader(_Transcoded(file, "utf-8", "\r"), _BLOCK)
    delimiter = dialect.delimiter or ","
    preamble = []
    if head.removeprefix(BOM)[:5].lower().removeprefix(b'"').startswith(b"sep="):
        # Excel reads the delimiter from this line, which counts as a line before the header.
        preamble.append(_line(file))
        said = preamble[0].removeprefix(BOM).strip(b'\r\n"')[4:].decode("utf-8", "replace")
        if said not in DELIMITERS:
            raise _refused(f"The line sep={said[:9]} names no delimiter that is read here.")
        delimiter = dialect.delimiter or DELIMITERS[said]
    while len(preamble) < dialect.skip_lines:
        preamble.append(_line(file))
    rows = csv_rows(file, delimiter=delimiter)
    header = [name.strip() for name in csv_header(rows)]
    if not header:
        raise _refused("The file has no line with the names of its columns.")
    if any("\ud800" <= character <= "\udfff" for name in header for character in name):
        raise _refused(
            f"The header is no text in {dialect.encoding}; give its --encoding, such as cp1252."
        )
    named = Counter(name for name in header if name)
    if repeated := [name for name, count in named.items() if count > 1]:
        raise _refused(f"Several columns have the name {', '.join(repeated)}.")
    return Table(b"".join(preamble), header, delimiter, rows)


def missing_columns(table: Table, wanted: list[str]) -> ValidationFailed | None:
    """Return the error for missing columns, which lists the existing ones."""
    missing = [column for column in wanted if column not in table.header]
    if not missing:
        return None
    detail = f"The file has no column {', '.join(missing)}"
    there = ", ".join(name for name in table.header if name)[:500]
    others = {
        sign: name
        for name, sign in (("';'", ";"), ("tab", "\t"), (",", ","), ("'|'", "|"))
        if sign != table.delimiter
    }
    for sign, name in others.items():
        cells = {cell.strip().strip('"') for cell in there.split(sign)}
        if len(table.header) == 1 and set(wanted) <= cells:
            return _refused(f"{detail}; give --delimiter {name}.")
    return _refused(f"{detail}; its columns are: {there}.")


def _line(file: IO[bytes]) -> bytes:
    line = file.readline(LINE_MAX_BYTES)
    if len(line) == LINE_MAX_BYTES:
        raise _refused(f"A line has at most {LINE_MAX_BYTES} bytes.")
    return line


def _refused(detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("invalid_header", detail)])
