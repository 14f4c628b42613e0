"""The formats of exports: what PostgreSQL writes of each purchase, and what goes around it.

PostgreSQL writes the rows, because Python would take several times as long for each of them, in
the thread of everything else. The expressions write what :func:`shop.core.cells.guard` and
``msgspec`` would; a test compares them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from purchases.representation import PurchaseData
from shop.core.cells import FORMULA

Rows = Sequence[bytes | memoryview]
COLUMNS = tuple(PurchaseData.__annotations__)


class Encoder(Protocol):
    """The bytes of one export, in the order in which its methods are called."""

    def begin(self) -> bytes:
        """Return what comes before the rows."""

    def add(self, rows: Rows) -> bytes:
        """Return some rows, of which there is at least one."""

    def end(self) -> bytes:
        """Return what comes after the rows."""


class Plain:
    """Rows with something before and after them, and ``between`` in front of all but the first."""

    def __init__(self, head: bytes = b"", tail: bytes = b"", between: bytes = b"") -> None:
        self._head, self._tail, self._between = head, tail, between
        self._first = True

    def begin(self) -> bytes:
        """Return what comes before the rows."""
        return self._head

    def add(self, rows: Rows) -> bytes:
        """Return the rows."""
        block = self._between.join(rows)
        if self._first:
            self._first = False
            return block
        return self._between + block

    def end(self) -> bytes:
        """Return what comes after the rows."""
        return self._tail


@dataclass(frozen=True, slots=True)
class Format:
    """How a purchase is written.

    ``row`` is an SQL expression over ``p``, a row of the ledger, and ``c.names``, which is
    ``names``, an expression over an account that PostgreSQL need not evaluate for every row.
    """

    names: str
    row: str
    encoder: Callable[[], Encoder]
    content_type: str
    filename: str = ""


def joined(*parts: str) -> str:
    """Return the expression of several texts, one after the other."""
    return " || ".join(parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def iso(column: str) -> str:
    """Return the expression of what :func:`purchases.representation.iso` writes."""
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


TOTAL = "(p.price * p.quantity)::text"

# --- CSV -----------------------------------------------------------------------------------------

_SUSPICIOUS = _literal('[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20"]')


def _guarded(column: str) -> str:
    return f"regexp_replace({column}, {_literal(FORMULA)}, '''', 'g')"


def _cell(column: str, quotes: str = '""') -> str:
    """Return the expression of a text between the quotes of a CSV cell.

    ``quotes`` is what a quote in the text becomes.
    """
    return (
        f"CASE WHEN {column} ~ {_SUSPICIOUS}"
        f" THEN replace({_guarded(column)}, '\"', '{quotes}') ELSE {column} END"
    )


def _formula_cell(column: str) -> str:
    """Return the expression of ``="text"`` between the quotes of a CSV cell.

    A spreadsheet takes no such cell for a number or a date.
    """
    return joined("""'=""'""", _cell(column, '""""'), """'""'""")


def csv(
    delimiter: str = ",",
    *,
    head: str = "",
    text: Callable[[str], str] = _cell,
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
# A spreadsheet knows UTF-8 by the mark in front.
_MARK = "\ufeff"
CSV_COMMA = csv(head=_MARK, text=_formula_cell)
CSV_SEMICOLON = csv(";", head=_MARK, text=_formula_cell, decimal_comma=True)
# Languages in which a comma is not the decimal sign, so that it is what separates cells.
_POINT = frozenset({"bn", "en", "fa", "he", "hi", "ja", "ko", "ms", "ta", "th", "ur", "zh"})


def csv_for_spreadsheets(accept_language: str) -> Format:
    """Return CSV as a spreadsheet in the client's first language opens it."""
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
    """Return a JSON object that begins with ``head`` and has the purchases as the original did."""
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
