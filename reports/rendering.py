"""Render reports to PDF: data in, one PDF file out. No Django, no database, no network.

A report of any length is rendered in flat memory. Python decides what stands on which page, as
every row's height follows from the widths that `reports.measure` knows. The pages are cut into
volumes, each volume is typeset by typst in a child process that gives its memory back when it ends,
and the volumes are joined into one tagged file (PDF/UA-1) while they arrive. As the number of pages
is known before the first one is typeset, every footer says "Page 3 of 12" without a second pass.

Texts of customers are data only: they reach typst through JSON files in a private folder, which
is all that typst can see. Characters that no font can show become U+FFFD, and control and
bidirectional formatting characters are left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO

from reports.contents import (
    CurrencyTotal,
    MonthTotal,
    RenderedReport,
    RenderingFailed,
    RenderingTimeout,
    SalesHeader,
    SalesLine,
    StatementHeader,
    StatementLine,
    TotalsDisagree,
)
from reports.measure import (
    MONO,
    SERIF,
    TEMPLATES,
    TEXT_SIZE,
    clean_text,
    font_folders,
    fonts_of,
    glyphs,
    isolated,
    package_of,
    shorten,
    wrap,
)
from shop.core.money import shown

VOLUME_PAGES = 60
"""Pages in one volume: about 3 000 lines and, while it is typeset, 250 MB."""

TIME_LIMIT = 300.0
"""Seconds that typesetting one report may take."""

# Lengths are in points (1/72 inch). The template gets those it needs in meta.json.
PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 45.0, 58.0, 54.0
BODY_WIDTH = PAGE_WIDTH - 2 * MARGIN_X
BODY_HEIGHT = PAGE_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM - 1
LEADING = 2.0
CELL_X, CELL_Y = 3.0, 2.5
HEADER_HEIGHT = 16.0
HEADING_HEIGHT = 30.0
GAP_HEIGHT = 14.0
SHOP_SIZE = 14.0
TITLE_HEIGHT = 52.0
FACT_WIDTHS = (70.0, 190.0, 60.0, 185.0)

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def render_statement(
    *,
    header: StatementHeader,
    lines: Iterable[StatementLine],
    output: Path,
    time_limit: float = TIME_LIMIT,
    volume_pages: int = VOLUME_PAGES,
) -> RenderedReport:
    """Write one customer's statement as a PDF to `output`, replacing it only when complete.

    `lines` is read once and may be of any length; consecutive lines of one month (UTC) stand
    under one heading and bookmark. The same input gives the same bytes.

    Raises `TotalsDisagree`, `RenderingTimeout` after `time_limit` seconds of typesetting,
    `RenderingFailed` when typesetting fails otherwise, `ValueError` for an amount with more than
    two decimals or a time without an offset, and `OSError` when the disk is full.
    """
    period = _period(header.since, header.until)
    facts = [
        ("Customer", header.username, "Period", period),
        ("Userid", header.userid, "Generated", _moment(header.generated_at)),
        ("Email", header.email, "Report", str(header.report_id)),
    ]
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        pages = _Pages(Path(folder), volume_pages)
        _write_front(pages, header, facts)
        check = _Check(header.totals)
        month: tuple[int, int] | None = None
        for line in lines:
            timestamp = _utc(line.timestamp)
            if (timestamp.year, timestamp.month) != month:
                month = (timestamp.year, timestamp.month)
                pages.start_table("purchases", f"Purchases in {_month(timestamp)}")
            price, total = (_money(amount, line.currency) for amount in (line.price, line.total))
            check.add(line.currency, 1, line.total)
            pages.add_row(
                [
                    timestamp.isoformat(" ", "seconds")[:19],
                    line.item,
                    str(line.quantity),
                    price,
                    line.currency,
                    total,
                ]
            )
        check.finish()
        who = f"{isolated(pages.show(header.username))} ({isolated(pages.show(header.userid))})"
        return _typeset(pages, header, "Statement of purchases", who, output, time_limit)


def render_sales(
    *,
    header: SalesHeader,
    lines: Iterable[SalesLine],
    output: Path,
    time_limit: float = TIME_LIMIT,
    volume_pages: int = VOLUME_PAGES,
) -> RenderedReport:
    """Write the shop's sales, customer by customer, as a PDF to `output`.

    Works and fails as `render_statement` does.
    """
    facts = [
        ("Period", _period(header.since, header.until), "Generated", _moment(header.generated_at)),
        ("", "", "Report", str(header.report_id)),
    ]
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        pages = _Pages(Path(folder), volume_pages)
        _write_front(pages, header, facts)
        check = _Check(header.totals)
        started = False
        for line in lines:
            if not started:
                pages.start_table("customers", "Customers")
                started = True
            check.add(line.currency, line.purchases, line.total)
            pages.add_row(
                [
                    line.username,
                    line.userid,
                    str(line.purchases),
                    line.currency,
                    _money(line.total, line.currency),
                ]
            )
        check.finish()
        return _typeset(pages, header, "Sales by customer", "", output, time_limit)


# What is shown, and how it is written


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("A report needs times with an offset.")
    return moment.astimezone(UTC)


def _moment(moment: datetime) -> str:
    # Unlike `strftime` this writes every year in four digits.
    return _utc(moment).isoformat(" ", "seconds")[:19] + " UTC"


def _day(day: date) -> str:
    return f"{day.day} {_month(day)}"


def _month(day: date) -> str:
    return f"{MONTHS[day.month - 1]} {day.year:04}"


def _period(since: date, until: date) -> str:
    return _day(since) if since == until else f"{_day(since)} to {_day(until)}"


def _money(amount: Decimal, currency: str) -> str:
    """The amount as in "1195.30", without ".00" for JPY and the like."""
    text = f"{amount:.2f}"
    if Decimal(text) != amount:
        raise ValueError("An amount in a report has more than two decimals.")
    return shown(text, currency)


class _Check:
    """Adds up lines and compares the sums with the totals that the report claims."""

    def __init__(self, claimed: Iterable[CurrencyTotal | MonthTotal]) -> None:
        self.purchases: defaultdict[str, int] = defaultdict(int)
        self.totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in claimed:
            self.add(entry.currency, -entry.purchases, -entry.total)

    def add(self, currency: str, purchases: int, total: Decimal) -> None:
        self.purchases[currency] += purchases
        self.totals[currency] += total

    def finish(self) -> None:
        for currency, total in self.totals.items():
            if total or self.purchases[currency]:
                raise TotalsDisagree(
                    f"The lines differ from the totals in {currency} by {total} "
                    f"and by {self.purchases[currency]} purchases."
                )


# Laying out pages


@dataclass(frozen=True, slots=True)
class _Table:
    titles: tuple[str, ...]
    widths: tuple[float, ...]
    aligns: tuple[str, ...]


# The widths hold the longest numbers of the contract on one line: 12 digits for a price, 7 for a
# quantity, and their product.
_TABLES: Mapping[str, _Table] = {
    "months": _Table(
        ("Month", "Purchases", "Currency", "Total"),
        (200.0, 95.0, 85.0, 125.0),
        ("left", "right", "left", "right"),
    ),
    "purchases": _Table(
        ("Time (UTC)", "Item", "Quantity", "Unit price", "Currency", "Total"),
        (82.0, 186.0, 45.0, 63.0, 45.0, 84.0),
        ("left", "left", "right", "right", "left", "right"),
    ),
    "customers": _Table(
        ("Username", "Userid", "Purchases", "Currency", "Total"),
        (180.0, 105.0, 60.0, 60.0, 100.0),
        ("left", "left", "right", "left", "right"),
    ),
}


_MAX_LINES = 40


def _wrap_cell(text: str, width: float) -> list[str]:
    lines = wrap(text, width)
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], "…"]
    return lines


class _Pages:
    """Puts pieces onto pages from top to bottom and writes every full volume to a JSON file.

    A volume is a list of `{"number": 7, "pieces": [...]}`; what is in a piece is between this
    class and the template. Rows that do not fit continue on the next page in a table of its own,
    titles included, so that nothing spans pages, nor volumes.
    """

    def __init__(self, folder: Path, volume_pages: int) -> None:
        self.folder = folder
        self.volume_pages = volume_pages
        self.count = 1
        self.volumes: list[tuple[Path, int]] = []
        self._leaves: list[dict[str, object]] = []
        self._pieces: list[dict[str, object]] = []
        self._left = BODY_HEIGHT
        self._kind = ""
        self._rows: list[list[str]] | None = None
        self._heights: list[float] = []
        self._table: dict[str, object] = {}
        self._fonts: set[str] = set()

    @property
    def fonts(self) -> list[str]:
        """The fonts of what was shown, in the order in which a character is looked up."""
        return [font for font in glyphs().order if font in {SERIF, MONO, *self._fonts}]

    def show(self, text: str) -> str:
        """Return the text as it can be shown, and note the fonts that this takes."""
        shown = clean_text(text)
        self._fonts |= fonts_of(shown)
        return shown

    def add(self, kind: str, height: float, **content: object) -> None:
        """Add a piece of `height` points below what is there; it ends the table before it."""
        self._rows = None
        if height > self._left:
            self._turn()
        self._pieces.append({"kind": kind, **content})
        self._left -= height

    def start_table(self, kind: str, heading: str) -> None:
        """Start a table with a heading, on a new page if three rows would not fit on this one."""
        self._rows = None
        needed = GAP_HEIGHT + HEADING_HEIGHT + HEADER_HEIGHT + 3 * _height(1)
        if needed > self._left:
            self._turn()
        if self._pieces:
            self.add("gap", GAP_HEIGHT)
        self.add("heading", HEADING_HEIGHT, text=heading)
        self._kind = kind

    def add_row(self, cells: Sequence[str], *, bold: bool = False) -> None:
        """Add a row to the table that was started last; bold rows come after all others."""
        row: list[str] = []
        most = 1
        for text, width in zip(cells, _TABLES[self._kind].widths, strict=True):
            lines = _wrap_cell(self.show(text), width - 2 * CELL_X)
            most = max(most, len(lines))
            row.append("\n".join(lines))
        height = _height(most)
        rows = self._rows
        if rows is None or height > self._left:
            if height + (HEADER_HEIGHT if rows is None else 0) > self._left:
                self._turn()
            rows = self._rows = []
            self._heights = []
            self._table = {
                "kind": "table",
                "table": self._kind,
                "rows": rows,
                "heights": self._heights,
            }
            self._pieces.append(self._table)
            self._left -= HEADER_HEIGHT
        if bold:
            self._table.setdefault("plain", len(rows))
        rows.append(row)
        self._heights.append(height)
        self._left -= height

    def finish(self) -> None:
        """Write what is left; `count` is then the number of pages and `volumes` the files."""
        self._leaves.append({"number": self.count, "pieces": self._pieces})
        self._write_volume()

    def _turn(self) -> None:
        self._leaves.append({"number": self.count, "pieces": self._pieces})
        if len(self._leaves) >= self.volume_pages:
            self._write_volume()
        self.count += 1
        self._pieces = []
        self._left = BODY_HEIGHT

    def _write_volume(self) -> None:
        path = self.folder / f"volume-{len(self.volumes) + 1:04}.json"
        path.write_text(json.dumps(self._leaves), encoding="ascii")
        self.volumes.append((path, len(self._leaves)))
        self._leaves = []


def _height(lines: int) -> float:
    return lines * TEXT_SIZE + (lines - 1) * LEADING + 2 * CELL_Y


def _write_front(
    pages: _Pages, header: StatementHeader | SalesHeader, facts: Iterable[Sequence[str]]
) -> None:
    """Put the letterhead and the summary, months before the whole, onto the first page."""
    rows, heights = [], []
    for fact in facts:
        cells = [
            _wrap_cell(pages.show(text), width - 2 * CELL_X)
            for text, width in zip(fact, FACT_WIDTHS, strict=True)
        ]
        rows.append(["\n".join(lines) for lines in cells])
        heights.append(_height(max(map(len, cells))))
    # The bold cut is up to a tenth wider than the regular one, which is what _wrap measures.
    shop = wrap(pages.show(header.shop_name), BODY_WIDTH * 0.9, SHOP_SIZE)[:6]
    shop_height = len(shop) * (SHOP_SIZE + LEADING) + 6
    pages.add(
        "letterhead",
        shop_height + TITLE_HEIGHT + sum(heights),
        shop="\n".join(shop),
        shop_height=shop_height,
        rows=rows,
        heights=heights,
    )
    check = _Check(header.totals)
    for entry in header.months:
        check.add(entry.currency, entry.purchases, entry.total)
    check.finish()
    pages.start_table("months", "Summary")
    if not header.totals:
        pages.add("note", HEADER_HEIGHT, text="No purchases in this period.")
    for entry in header.months:
        total = _money(entry.total, entry.currency)
        pages.add_row([_month(entry.month), str(entry.purchases), entry.currency, total])
    for whole in header.totals:
        total = _money(whole.total, whole.currency)
        pages.add_row(
            ["Total of the period", str(whole.purchases), whole.currency, total], bold=True
        )


def _write_meta(
    pages: _Pages, header: StatementHeader | SalesHeader, heading: str, who: str
) -> None:
    period = _period(header.since, header.until)
    shop = pages.show(header.shop_name)
    subject = f"{heading}: {who}" if who else heading
    moment = _utc(header.generated_at)
    half = BODY_WIDTH / 2 - 6
    meta = {
        "title": f"{subject}, {period}",
        "heading": heading,
        "author": shop,
        "generated": {
            unit: getattr(moment, unit)
            for unit in ("year", "month", "day", "hour", "minute", "second")
        },
        "report_id": shorten(pages.show(str(header.report_id)), half, 8),
        "running": [shorten(shop, half, 8), shorten(f"{subject}, {period}", half, 8)],
        "pages": pages.count,
        "fonts": pages.fonts,
        "layout": {
            "page_width": PAGE_WIDTH,
            "page_height": PAGE_HEIGHT,
            "margin_x": MARGIN_X,
            "margin_top": MARGIN_TOP,
            "margin_bottom": MARGIN_BOTTOM,
            "text_size": TEXT_SIZE,
            "leading": LEADING,
            "cell_x": CELL_X,
            "cell_y": CELL_Y,
            "header_height": HEADER_HEIGHT,
            "heading_height": HEADING_HEIGHT,
            "gap_height": GAP_HEIGHT,
            "shop_size": SHOP_SIZE,
            "title_height": TITLE_HEIGHT,
            "fact_widths": FACT_WIDTHS,
        },
        "tables": {
            name: {"titles": table.titles, "widths": table.widths, "aligns": table.aligns}
            for name, table in _TABLES.items()
        },
    }
    (pages.folder / "meta.json").write_text(json.dumps(meta), encoding="ascii")


# Typesetting in child processes


def _typeset(
    pages: _Pages,
    header: StatementHeader | SalesHeader,
    heading: str,
    who: str,
    output: Path,
    time_limit: float,
) -> RenderedReport:
    """Typeset the volumes one after the other, each joined while the next is in the making."""
    pages.finish()
    _write_meta(pages, header, heading, who)
    template = pages.folder / "report.typ"
    template.write_bytes((TEMPLATES / "report.typ").read_bytes())
    run = _Run(
        folder=pages.folder,
        fonts=sorted({font_folders()[name] for name in map(package_of, pages.fonts) if name}),
        timestamp=int(_utc(header.generated_at).timestamp()),
        deadline=time.monotonic() + time_limit,
    )
    partial = tempfile.NamedTemporaryFile(  # noqa: SIM115 - renamed below, when it is complete
        dir=output.parent, prefix=f".{output.name}.", suffix=".partial", delete=False
    )
    try:
        with partial as file, tempfile.TemporaryDirectory(prefix="volumes-") as folder:
            joined = _JoinedPdf(file)
            target = Path(folder)
            with _Child(run, pages.volumes[0][0], target) as child:
                data = child.wait()
            for index, (_, expected) in enumerate(pages.volumes):
                following = pages.volumes[index + 1 : index + 2]
                if not following:
                    joined.add_volume(data, expected)
                    continue
                with _Child(run, following[0][0], target) as child:
                    joined.add_volume(data, expected)
                    data = child.wait()
            size, digest = joined.finish()
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial.name, output)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial.name)
        raise
    return RenderedReport(pages=pages.count, size=size, sha256=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What the children of one report have in common; ``deadline`` is of the monotonic clock."""

    folder: Path
    fonts: Sequence[str]
    timestamp: int
    deadline: float


class _Child:
    """One typst run of its own process; leaving the context kills it if it is still running."""

    def __init__(self, run: _Run, volume: Path, target: Path) -> None:
        self.name = volume.stem
        self.deadline = deadline = run.deadline
        self.result = target / f"{volume.stem}.pdf"
        self.seconds = max(deadline - time.monotonic(), 0)
        # Isolated, and with nothing of this process's environment but where libraries are, as
        # that holds passwords which typesetting has no use for.
        kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(Path(__file__).with_name("typesetting.py")),
                str(run.folder),
                volume.name,
                str(self.result),
                str(run.timestamp),
                str(math.ceil(self.seconds) + 5),
                *run.fonts,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=volume.parent,
            env={name: os.environ[name] for name in kept if name in os.environ},
        )

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait(self) -> bytes:
        """Return the volume's PDF and delete its file."""
        try:
            _, errors = self.process.communicate(timeout=max(self.deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            raise RenderingTimeout(
                f"Typesetting did not end within its time limit; {self.name} was stopped."
            ) from None
        code = self.process.returncode
        if code < 0:
            name = signal.Signals(-code).name
            raise RenderingFailed(f"Typesetting {self.name} was ended by {name}.")
        if code:
            message = errors.decode(errors="replace").strip()[-2000:]
            raise RenderingFailed(f"Typesetting {self.name} failed: {message}")
        data = self.result.read_bytes()
        self.result.unlink()
        return data


# Joining volumes


class _JoinedPdf:
    """Writes one tagged PDF out of volumes that typst has made, holding one volume at a time.

    The pages, structure elements, bookmarks and parent trees of all volumes come under common
    roots, and everything that is no stream goes into compressed object streams, which makes the
    tags of a long table a fifth as large. It relies on how typst writes a file: a classic
    cross-reference table, generation 0 throughout, one structure element of type Document, level
    1 headings only, and no text of customers in strings outside the information dictionary and
    the metadata; whatever looks different raises `RenderingFailed`. A general PDF library would
    do, but keeps every object in memory: 200 MB for 10 000 lines.
    """

    CATALOG, PAGES, STRUCTURE, DOCUMENT, OUTLINES, INFO, METADATA = range(1, 8)
    IN_STREAM = 400
    CHUNK = 256

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0
        # A cross-reference entry is its type (1 plain, 2 in an object stream), the offset or the
        # object stream, and the index in that.
        self._types = bytearray(8)
        self._places = array("Q", bytes(8 * 8))
        self._indexes = array("H", bytes(8 * 2))
        self._waiting: list[tuple[int, bytes]] = []
        self._pages = 0
        self._page_kids: list[int] = []
        self._elements: list[bytes] = []
        self._parents: list[tuple[int, int]] = []
        self._ids: list[tuple[bytes, int]] = []
        self._bookmarks = 0
        self._first_bookmark = 0
        self._last_bookmark: tuple[int, bytes] | None = None
        self._volumes = 0
        self._info = b""
        self._roles = b""
        self._metadata = b""
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def add_volume(self, data: bytes, expected_pages: int) -> None:
        """Append all pages of one PDF; raises `RenderingFailed` if they are not as many."""
        objects, root, info = _read_objects(data)
        self._volumes += 1
        volume = self._volumes
        catalog = objects.pop(root)
        pages = _number(rb"/Pages (\d+) 0 R", catalog)
        structure = objects.pop(_number(rb"/StructTreeRoot (\d+) 0 R", catalog))
        metadata = objects.pop(_number(rb"/Metadata (\d+) 0 R", catalog))
        document = _number(rb"/K\[(\d+) 0 R\]", structure)
        bookmarks = re.search(rb"/Outlines (\d+) 0 R", catalog)
        outlines = int(bookmarks[1]) if bookmarks else 0
        information = objects.pop(info)
        if volume == 1:
            self._info, self._metadata = information, metadata
            self._roles = _group(rb"(/RoleMap<<.*?>>)", structure)
        count = _number(rb"/Count (\d+)", objects[pages])
        if count != expected_pages:
            raise RenderingFailed(
                f"Volume {volume} has {count} pages where {expected_pages} were laid out."
            )

        base = self._allocate(max(objects)) - 1
        references = [b"%d 0 R" % (base + number) for number in range(max(objects) + 1)]
        references[document] = b"%d 0 R" % self.DOCUMENT
        references[outlines] = b"%d 0 R" % self.OUTLINES

        def renumber(body: bytes) -> bytes:
            # Cells name their header cells by ids that are unique in a volume only.
            return _REFERENCE.sub(
                lambda m: references[int(m[1])] if m[1] else b"(V%dU" % volume, body
            )

        element = objects.pop(document)
        if b"/S/Document" not in element:
            raise RenderingFailed("The structure of a volume is not one document.")
        self._elements.append(renumber(_group(rb"/K\[([^\]]*)\]", element)))
        first_key = self._pages
        for key, number in re.findall(
            rb"(\d+) (\d+) 0 R", _group(rb"/ParentTree<</Nums\[([^\]]*)\]>>", structure)
        ):
            self._parents.append((first_key + int(key), base + int(number)))
        for name, number in re.findall(rb"\((U\w+)\)(\d+) 0 R", structure):
            self._ids.append((b"V%d%s" % (volume, name), base + int(number)))
        if outlines and b"/First" in (bookmarks_root := objects.pop(outlines)):
            self._add_bookmarks(objects, bookmarks_root, base, renumber)
        self._page_kids.append(base + pages)
        for number, body in objects.items():
            head, stream, content = body.partition(b"\nstream\n")
            head = renumber(head)
            if number == pages:
                head = _extend(head, b"/Parent %d 0 R" % self.PAGES)
            elif b"/StructParent" in head:
                head = _PARENT_KEY.sub(lambda m: b"%s%d" % (m[1], first_key + int(m[2])), head)
            if stream:
                self._add_plain(base + number, head + stream + content)
            else:
                self._add(base + number, head)
        self._pages += count

    def finish(self) -> tuple[int, str]:
        """Write the common roots and the cross-references; return the size and the SHA-256."""
        if self._last_bookmark:
            self._add(*self._last_bookmark)
        self._add(
            self.CATALOG,
            b"<</Type/Catalog/Pages %d 0 R/Metadata %d 0 R/Lang(en)/StructTreeRoot %d 0 R"
            b"/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle true>>"
            b"/Outlines %d 0 R>>" % (self.PAGES, self.METADATA, self.STRUCTURE, self.OUTLINES),
        )
        self._add(
            self.PAGES,
            b"<</Type/Pages/Count %d/Kids[%s]>>" % (self._pages, _references(self._page_kids)),
        )
        self._add(
            self.OUTLINES,
            b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>"
            % (self._first_bookmark, self._last_bookmark[0], self._bookmarks)
            if self._last_bookmark
            else b"<</Type/Outlines/Count 0>>",
        )
        parents = [(b"%d" % key, number) for key, number in self._parents]
        ids = [(b"(%s)" % name, number) for name, number in sorted(self._ids)]
        self._add(
            self.STRUCTURE,
            b"<</Type/StructTreeRoot%s/K[%d 0 R]/ParentTree %d 0 R/ParentTreeNextKey %d"
            b"/IDTree %d 0 R>>"
            % (
                self._roles,
                self.DOCUMENT,
                self._add_tree(b"Nums", parents),
                self._pages,
                self._add_tree(b"Names", ids),
            ),
        )
        self._add(
            self.DOCUMENT,
            b"<</Type/StructElem/S/Document/P %d 0 R/K[%s]>>"
            % (self.STRUCTURE, b" ".join(self._elements)),
        )
        self._add(self.INFO, self._info)
        # The identity follows from the contents, as in the volumes, so equal reports are equal.
        identity = self._hash.hexdigest()[:32].encode()
        head, _, content = self._metadata.partition(b"\nstream\n")
        content = re.sub(
            rb"(?<=<xmpTPg:NPages>)\d+(?=</xmpTPg:NPages>)", b"%d" % self._pages, content
        )
        content = re.sub(
            rb"(<xmpMM:(?:Instance|Document)ID>)[^<]*", lambda m: m[1] + identity, content
        )
        content = content.removesuffix(b"\nendstream")
        head = re.sub(rb"/Length \d+", b"/Length %d" % len(content), head)
        self._add_plain(self.METADATA, head + b"\nstream\n" + content + b"\nendstream")
        self._flush()
        self._write_references(identity)
        return self._size, self._hash.hexdigest()

    def _add_bookmarks(
        self,
        objects: dict[int, bytes],
        root: bytes,
        base: int,
        renumber: Callable[[bytes], bytes],
    ) -> None:
        """Chain a volume's bookmarks behind those before; the last waits for its successor."""
        first, last = _number(rb"/First (\d+) 0 R", root), _number(rb"/Last (\d+) 0 R", root)
        self._bookmarks += _number(rb"/Count (\d+)", root)
        if self._last_bookmark:
            number, body = self._last_bookmark
            self._add(number, _extend(body, b"/Next %d 0 R" % (base + first)))
            previous = b"/Prev %d 0 R" % number
        else:
            self._first_bookmark = base + first
            previous = b""
        body = _extend(renumber(objects.pop(first)), previous)
        if first != last:
            self._add(base + first, body)
            body = renumber(objects.pop(last))
        self._last_bookmark = (base + last, body)

    def _add_tree(self, kind: bytes, entries: Sequence[tuple[bytes, int]]) -> int:
        """Add a number or name tree of two levels over sorted entries; return its root."""
        kids = []
        for start in range(0, len(entries), self.CHUNK):
            part = entries[start : start + self.CHUNK]
            kid = self._allocate(1)
            pairs = b" ".join(b"%s %d 0 R" % entry for entry in part)
            self._add(kid, b"<</Limits[%s %s]/%s[%s]>>" % (part[0][0], part[-1][0], kind, pairs))
            kids.append(kid)
        root = self._allocate(1)
        self._add(root, b"<</Kids[%s]>>" % _references(kids) if kids else b"<</%s[]>>" % kind)
        return root

    def _allocate(self, count: int) -> int:
        """Reserve `count` consecutive object numbers and return the first."""
        first = len(self._types)
        self._types.extend(bytes(count))
        self._places.frombytes(bytes(count * self._places.itemsize))
        self._indexes.frombytes(bytes(count * self._indexes.itemsize))
        return first

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def _add_plain(self, number: int, body: bytes) -> None:
        self._types[number], self._places[number] = 1, self._size
        self._write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _add(self, number: int, body: bytes) -> None:
        self._waiting.append((number, body))
        if len(self._waiting) == self.IN_STREAM:
            self._flush()

    def _flush(self) -> None:
        """Write the waiting objects as one compressed object stream."""
        if not self._waiting:
            return
        stream = self._allocate(1)
        offset = 0
        heads, bodies = [], []
        for index, (number, body) in enumerate(self._waiting):
            self._types[number] = 2
            self._places[number] = stream
            self._indexes[number] = index
            heads.append(b"%d %d" % (number, offset))
            bodies.append(body)
            offset += len(body) + 1
        head = b" ".join(heads) + b"\n"
        packed = zlib.compress(head + b"\n".join(bodies), 6)
        self._add_plain(
            stream,
            b"<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream"
            % (len(bodies), len(head), len(packed), packed),
        )
        self._waiting.clear()

    def _write_references(self, identity: bytes) -> None:
        number = self._allocate(1)
        start = self._size
        self._types[number], self._places[number] = 1, start
        # A row is big-endian: one byte for the type, five for the place, two for the index. It is
        # put together column by column, as a long report has a million rows.
        if sys.byteorder == "little":
            self._places.byteswap()
            self._indexes.byteswap()
        rows = bytearray(8 * len(self._types))
        rows[0::8] = self._types
        for column in range(5):
            rows[1 + column :: 8] = self._places.tobytes()[3 + column :: 8]
        for column in range(2):
            rows[6 + column :: 8] = self._indexes.tobytes()[column::2]
        packed = zlib.compress(rows, 6)
        self._write(
            b"%d 0 obj\n<</Type/XRef/Size %d/W[1 5 2]/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]"
            b"/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n"
            b"startxref\n%d\n%%%%EOF\n"
            % (
                number,
                len(self._types),
                self.CATALOG,
                self.INFO,
                identity,
                identity,
                len(packed),
                packed,
                start,
            )
        )


_REFERENCE = re.compile(rb"(\d+) 0 R|\(U(?=\d+x)")
_PARENT_KEY = re.compile(rb"(/StructParents? )(\d+)")


def _read_objects(data: bytes) -> tuple[dict[int, bytes], int, int]:
    """Return the bodies of all objects by number, and the numbers of catalog and information."""
    start = _number(rb"startxref\s+(\d+)\s+%%EOF", data[-64:])
    trailer = data.rfind(b"trailer")
    section = re.match(rb"xref\n0 (\d+)\s+", data[start : start + 32])
    if section is None or trailer < start:
        raise RenderingFailed("A volume has no classic cross-reference table.")
    entries = start + section.end()
    offsets = []
    for number in range(int(section[1])):
        entry = data[entries + 20 * number : entries + 20 * number + 20]
        if entry[17:18] == b"n":
            offsets.append((int(entry[:10]), number))
    offsets.sort()
    objects = {}
    ends = [offset for offset, _ in offsets[1:]] + [start]
    for (offset, number), end in zip(offsets, ends, strict=True):
        head = b"%d 0 obj\n" % number
        tail = data.rfind(b"\nendobj", offset, end)
        if not data.startswith(head, offset) or tail < 0:
            raise RenderingFailed("A volume has an object of an unknown form.")
        objects[number] = data[offset + len(head) : tail]
    return (
        objects,
        _number(rb"/Root (\d+) 0 R", data[trailer:]),
        _number(rb"/Info (\d+) 0 R", data[trailer:]),
    )


def _group(pattern: bytes, body: bytes) -> bytes:
    found = re.search(pattern, body)
    if found is None:
        raise RenderingFailed(f"A volume has no {pattern.decode()}.")
    return found[1]


def _number(pattern: bytes, body: bytes) -> int:
    return int(_group(pattern, body))


def _extend(dictionary: bytes, entries: bytes) -> bytes:
    """Return a dictionary's source with `entries` added at its end."""
    return dictionary.rstrip().removesuffix(b">>") + entries + b">>"


def _references(numbers: Iterable[int]) -> bytes:
    return b" ".join(b"%d 0 R" % number for number in numbers)
