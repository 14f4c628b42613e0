"""A spreadsheet's own format (Office Open XML), written as a stream.

Texts are inline strings, so that ``005`` stays a text and no cell is a formula. Numbers are numbers
and times are dates in UTC. A new sheet begins when one is full.
"""

import re
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from html import escape

from purchases.formats import COLUMNS, TOTAL, Format, Rows, iso, joined

SHEET_ROWS = 1_048_576
SHEET_BYTES = 1 << 30
"""The largest sheet, because few programs read offsets beyond 2 GiB."""
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_XML = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_TIMES = frozenset({"timestamp", "received_at", "joined_at", "newest_purchase"})
_WIDTHS = (38, 20, 16, 30, 10, 12, 9, 14, 20, 20)

# --- Rows: PostgreSQL writes them ----------------------------------------------------------------

BEFORE, AFTER = '<c t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
# XML's special characters, characters that XML forbids, and a spreadsheet's escape sequences.
_SPECIAL = r"'[&<>\x01-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_'"
_ESCAPES = r"'_(?=x[0-9A-Fa-f]{4}_)', '_x005F_'"
_UNKNOWN = r"'[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]'"


def escaped(column: str) -> str:
    """Return the expression of a text within a cell."""
    text = f"regexp_replace(regexp_replace({column}, {_ESCAPES}, 'g'), {_UNKNOWN}, '\ufffd', 'g')"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "_x000D_")):
        text = f"replace({text}, '{character}', '{entity}')"
    return f"CASE WHEN {column} ~ {_SPECIAL} THEN {text} ELSE {column} END"


def moment(column: str) -> str:
    """Return the expression of a date's cell: days since 1899-12-30, or a text before 1901."""
    days = f"(extract(epoch FROM {column})::float8 / 86400 + 25569)::text"
    return (
        f"CASE WHEN {column} >= '1901-01-01+00' THEN '<c s=\"2\"><v>' || {days} || '</v></c>'"
        f" ELSE '{BEFORE}' || {iso(column)} || '{AFTER}' END"
    )


# --- Rows of cells that Python has ----------------------------------------------------------------

_UNKNOWN_CHARACTERS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPED_CHARACTERS = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def row_of(cells: Sequence[str | int | Decimal]) -> bytes:
    """Return a row of a sheet. A text is a text, whatever it begins with."""
    return f"<row>{''.join(map(_cell, cells))}</row>".encode()


def _cell(cell: str | int | Decimal) -> str:
    if isinstance(cell, Decimal):
        return f'<c s="1"><v>{cell}</v></c>'
    if isinstance(cell, int):
        return f"<c><v>{cell}</v></c>"
    # A spreadsheet reads _x000D_ as a carriage return.
    text = _UNKNOWN_CHARACTERS.sub("\ufffd", _ESCAPED_CHARACTERS.sub("_x005F_", cell))
    return BEFORE + escape(text, quote=False).replace("\r", "_x000D_") + AFTER


# --- What goes around them -----------------------------------------------------------------------


def _part(text: str) -> bytes:
    return _XML + text.encode()


def _header_cell(name: str) -> str:
    unit = " (UTC)" if name in _TIMES else ""
    return f"{BEFORE}{name}{unit}{AFTER}"


def _sheet_begin(columns: Sequence[str], widths: Sequence[int]) -> bytes:
    return _part(
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        "</sheetView></sheetViews><cols>"
        + "".join(
            f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
            for number, width in enumerate(widths, 1)
        )
        + f"</cols><sheetData><row>{''.join(map(_header_cell, columns))}</row>"
    )


_SHEET_END = b"</sheetData></worksheet>"
_STYLES = _part(
    f'<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="2" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_PACKAGE_RELATIONS = _part(
    f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
    f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)


def _content_types(sheets: range) -> bytes:
    return _part(
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml"'
            f' ContentType="{_TYPE}.worksheet+xml"/>'
            for number in sheets
        )
        + "</Types>"
    )


def _workbook(sheets: range, name: str) -> bytes:
    return _part(
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(
            f'<sheet name="{name} {number}" sheetId="{number}" r:id="rId{number}"/>'
            for number in sheets
        )
        + "</sheets></workbook>"
    )


def _relations(sheets: range) -> bytes:
    return _part(
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet"'
            f' Target="worksheets/sheet{number}.xml"/>'
            for number in sheets
        )
        + f'<Relationship Id="rId{len(sheets) + 1}" Type="{_OFFICE}/styles"'
        ' Target="styles.xml"/></Relationships>'
    )


class _Sink:
    """A write-only file, from which the caller takes the new bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing, because the caller sends the parts."""

    def close(self) -> None:
        """Do nothing, because the caller has yet to take the last parts."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class Workbook:
    """The file of one export; see :class:`purchases.formats.Encoder`."""

    def __init__(
        self,
        name: str = "purchases",
        columns: Sequence[str] = COLUMNS,
        widths: Sequence[int] = _WIDTHS,
    ) -> None:
        self._name = name
        self._head = _sheet_begin(columns, widths)
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(
            self._sink,
            "w",
            zipfile.ZIP_DEFLATED,
            compresslevel=1,
        )
        self._sheets = 0

    def begin(self) -> bytes:
        """Return the beginning of the first sheet."""
        self._begin_sheet()
        return self._sink.taken()

    def add(self, rows: Rows) -> bytes:
        """Return the compressed bytes of the rows so far."""
        at = 0
        while at < len(rows):
            if self._rows == SHEET_ROWS or self._bytes > SHEET_BYTES:
                self._end_sheet()
                self._begin_sheet()
            some = rows[at : at + SHEET_ROWS - self._rows]
            self._bytes += self._sheet.write(b"".join(some))
            self._rows += len(some)
            at += len(some)
        return self._sink.taken()

    def end(self) -> bytes:
        """Return the remaining bytes."""
        self._end_sheet()
        sheets = range(1, self._sheets + 1)
        self._zip.writestr("xl/workbook.xml", _workbook(sheets, self._name))
        self._zip.writestr("xl/_rels/workbook.xml.rels", _relations(sheets))
        self._zip.writestr("xl/styles.xml", _STYLES)
        self._zip.writestr("_rels/.rels", _PACKAGE_RELATIONS)
        self._zip.writestr("[Content_Types].xml", _content_types(sheets))
        self._zip.close()
        return self._sink.taken()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._rows = 1
        self._bytes = 0
        self._sheet = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        self._sheet.write(self._head)

    def _end_sheet(self) -> None:
        self._sheet.write(_SHEET_END)
        self._sheet.close()


NEXT_TEXT = f"'{AFTER}{BEFORE}'"
XLSX = Format(
    names=joined(escaped("username"), NEXT_TEXT, escaped("userid")),
    row=joined(
        f"'<row>{BEFORE}'",
        "p.id::text",
        NEXT_TEXT,
        "c.names",
        NEXT_TEXT,
        escaped("p.item"),
        f"'{AFTER}<c><v>'",
        "p.quantity::text",
        "'</v></c><c s=\"1\"><v>'",
        "p.price::text",
        f"'</v></c>{BEFORE}'",
        "p.currency",
        f"'{AFTER}<c s=\"1\"><v>'",
        TOTAL,
        "'</v></c>'",
        moment('p."timestamp"'),
        moment("p.received_at"),
        "'</row>'",
    ),
    encoder=Workbook,
    content_type=CONTENT_TYPE,
    filename="purchases.xlsx",
)
