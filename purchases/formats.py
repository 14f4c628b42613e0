"""The formats of exports: SQL expressions for the rows, and code for the frame around them.

PostgreSQL writes the rows, because Python would take several times as long and block other threads.
The expressions write the same as :func:`shop.core.cells.guard` and ``msgspec``; a test compares
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from purchases.representation import PurchaseData
from shop.core.cells import FORMULA

Rows = Sequence[bytes | memoryview]
COLUMNS = tuple(PurchaseData.__annotations__)


class Encoder(Protocol):
    """The bytes of one export; the caller uses the methods in this order."""

    def begin(self) -> bytes:
        """Return the bytes before the rows."""

    def add(self, rows: Rows) -> bytes:
        """Return rows, at least one."""

    def end(self) -> bytes:
        """Return the bytes after the rows."""


class Plain:
    """Rows with a head and a tail, and ``between`` in front of all rows but the first."""

    def __init__(self, head: bytes = b"", tail: bytes = b"", between: bytes = b"") -> None:
        self._head, self._tail, self._between = head, tail, between
        self._first = True

    def begin(self) -> bytes:
        """Return the bytes before the rows."""
        return self._head

    def add(self, rows: Rows) -> bytes:
        """Return the rows."""
        block = self._between.join(rows)
        if self._first:
            self._first = False
            return block
        return self._between + block

    def end(self) -> bytes:
        """Return the bytes after the rows."""
        return self._tail


@dataclass(frozen=True, slots=True)
class Format:
    """How a purchase is written.

    ``row`` is an SQL expression over ``p``, a row of the ledger, and ``c.names``. The latter is the
    value of ``names``, an expression over an account, so that PostgreSQL need not evaluate it for
    every row.
    """

    names: str
    row: str
    encoder: Callable[[], Encoder]
    content_type: str
    filename: str = ""


def joined(*parts: str) -> str:
    """Return the expression that concatenates several texts."""
    return " || ".join(parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def iso(column: str) -> str:
    """Return the expression of a time as :func:`purchases.representation.iso` writes it."""
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


TOTAL = "(p.price * p.quantity)::text"

# --- CSV -----------------------------------------------------------------------------------------

_SUSPICIOUS = _literal('[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20"]')


def _guarded(column: str) -> str:
    return f"regexp_replace({column}, {_literal(FORMULA)}, '''', 'g')"


def cell(column: str, quotes: str = '""') -> str:
    """Return the expression of a text between the quotes of a CSV cell.

    ``quotes`` replaces a quote in the text.
    """
    return (
        f"CASE WHEN {column} ~ {_SUSPICIOUS}"
        f" THEN replace({_guarded(column)}, '\"', '{quotes}') ELSE {column} END"
    )


def _formula_cell(column: str) -> str:
    """Return the expression of ``="text"`` between the quotes of a CSV cell.

    A spreadsheet never reads such a cell as a number or a date.
    """
    return joined("""'=""'""", cell(column, '""""'), """'""'""")


def csv(
    delimiter: str = ",",
    *,
    head: str = "",
    text: Callable[[str], str] = cell,
    decimal_comma: bool = False,
) -> Format:
    """Return CSV whose cells are all in quotes, with a header line."""

    def number(expression: str) -> str:
        return f"replace({expression}, '.', ',')" if decimal_comma else expression

    between = _literal(f'"{delimiter}"')
    cells = (
        "p.id::text",
        "c.names",
        text("p.item"),
        "p.quantity::text",
        number("p.price::text"),
        "p.currency",
        number(TOTAL),
        iso('p."timestamp"'),
        iso("p.received_at"),
    )
    header = (head + delimiter.join(COLUMNS) + "\r\n").encode()
    return Format(
        names=f" || {between} || ".join((text("username"), text("userid"))),
        row=joined("'\"'", f" || {between} || ".join(cells), "E'\"\\r\\n'"),
        encoder=lambda: Plain(header),
        content_type="text/csv; charset=utf-8",
        filename="purchases.csv",
    )


CSV = csv()
# A spreadsheet recognises UTF-8 by the byte order mark.
_MARK = "\ufeff"
CSV_COMMA = csv(head=_MARK, text=_formula_cell)
CSV_SEMICOLON = csv(";", head=_MARK, text=_formula_cell, decimal_comma=True)
# Languages whose decimal sign is not a comma, so that a comma separates cells.
_POINT = frozenset({"bn", "en", "fa", "he", "hi", "ja", "ko", "ms", "ta", "th", "ur", "zh"})


def csv_for_spreadsheets(accept_language: str) -> Format:
    """Return CSV that a spreadsheet in the client's first language can open."""
    language = accept_language.partition(",")[0].partition(";")[0].partition("-")[0].strip().lower()
    return CSV_COMMA if language in _POINT or not language.isalpha() else CSV_SEMICOLON


# --- JSON ----------------------------------------------------------------------------------------

JSONL = Format(
    names=joined(
        """'","username":'""",
        "JSON_SCALAR(username)::text",
        """',"userid":'""",
        "JSON_SCALAR(userid)::text",
        """',"item":'""",
    ),
    row=joined(
        """'{"id":"'""",
        "p.id::text",
        "c.names",
        "JSON_SCALAR(p.item)::text",
        """',"quantity":'""",
        "p.quantity::text",
        """',"price":"'""",
        "p.price::text",
        """'","currency":"'""",
        "p.currency",
        """'","total":"'""",
        TOTAL,
        """'","timestamp":"'""",
        iso('p."timestamp"'),
        """'","received_at":"'""",
        iso("p.received_at"),
        """E'"}\\n'""",
    ),
    encoder=Plain,
    content_type="application/x-ndjson",
    filename="purchases.jsonl",
)


def original(head: bytes) -> Format:
    """Return a JSON object that begins with ``head``, with the original service's fields."""
    return Format(
        names=joined(
            """'","username":'""",
            "JSON_SCALAR(username)::text",
            """',"userid":'""",
            "JSON_SCALAR(userid)::text",
            """',"price":"'""",
        ),
        row=joined(
            """'{"_id":"'""",
            "p.id::text",
            "c.names",
            "p.price::text",
            """'","timestamp":"'""",
            """to_char(p."timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""",
            """'"}'""",
        ),
        encoder=lambda: Plain(head + b',"purchases":[', b"]}", between=b","),
        content_type="application/json",
    )
