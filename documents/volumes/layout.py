"""Page layout: the page and the line of every piece, and the height of every row."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from documents.measure import MONO, SERIF, TEXT_SIZE, clean_text, fonts_of, glyphs, wrap

VOLUME_PAGES = 60
"""Pages in one volume: about 3 000 lines and, while it is typeset, 250 MB."""

# Lengths are in points (1/72 inch). The template reads the lengths that it needs from meta.json.
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
LOGO_WIDTH, LOGO_HEIGHT = 130.0, 42.0
TITLE_HEIGHT = 52.0
FACT_WIDTHS = (70.0, 190.0, 60.0, 185.0)

_MAX_LINES = 40


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a kind of table; widths in points add up to ``BODY_WIDTH`` at most."""

    titles: tuple[str, ...]
    widths: tuple[float, ...]
    aligns: tuple[str, ...]


def _wrap_cell(text: str, width: float) -> list[str]:
    lines = wrap(text, width)
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], "…"]
    return lines


class Pages:
    """Puts pieces onto pages from top to bottom and writes every full volume to a JSON file.

    A volume is a list of `{"number": 7, "pieces": [...]}`; only this class and the template know
    the content of a piece. Rows that do not fit continue on the next page in a new table with its
    titles. So no piece spans pages or volumes.
    """

    def __init__(
        self, folder: Path, tables: Mapping[str, Table], volume_pages: int = VOLUME_PAGES
    ) -> None:
        self.folder = folder
        self.tables = tables
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
        """The fonts of the text so far, in the order in which they are tried."""
        return [font for font in glyphs().order if font in {SERIF, MONO, *self._fonts}]

    def show(self, text: str) -> str:
        """Return the clean text, and note the fonts that it needs."""
        shown = clean_text(text)
        self._fonts |= fonts_of(shown)
        return shown

    def add(self, kind: str, height: float, **content: object) -> None:
        """Add a piece of `height` points at the end; it ends the table before it."""
        self._rows = None
        if height > self._left:
            self._turn()
        self._pieces.append({"kind": kind, **content})
        self._left -= height

    def add_letterhead(self, shop: str, facts: Iterable[Sequence[str]], logo: bytes = b"") -> None:
        """Put the letterhead onto the first page: the shop, the heading, and facts below it.

        A fact is four cells: a label and its value, twice. The logo, a PNG, stands beside the shop.
        """
        rows, heights = [], []
        for fact in facts:
            cells = [
                _wrap_cell(self.show(text), width - 2 * CELL_X)
                for text, width in zip(fact, FACT_WIDTHS, strict=True)
            ]
            rows.append(["\n".join(lines) for lines in cells])
            heights.append(_height(max(map(len, cells))))
        # The bold cut is up to a tenth wider than the regular one, which wrap measures.
        room = BODY_WIDTH - (LOGO_WIDTH if logo else 0)
        name = wrap(self.show(shop), room * 0.9, SHOP_SIZE)[:6]
        shop_height = len(name) * (SHOP_SIZE + LEADING) + 6
        if logo:
            shop_height = max(shop_height, LOGO_HEIGHT + 6)
        self.add(
            "letterhead",
            shop_height + TITLE_HEIGHT + sum(heights),
            shop="\n".join(name),
            shop_height=shop_height,
            logo=list(logo) or None,
            rows=rows,
            heights=heights,
        )

    def add_note(self, text: str) -> None:
        """Add a line of small print."""
        self.add("note", HEADER_HEIGHT, text=text)

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
        """Add a row to the current table; bold rows come after all others."""
        row: list[str] = []
        most = 1
        for text, width in zip(cells, self.tables[self._kind].widths, strict=True):
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
        """Write the last volume; `count` is then the number of pages and `volumes` the files."""
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


def lengths() -> dict[str, object]:
    """Return the lengths that the template needs, in points."""
    return {
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
        "logo_width": LOGO_WIDTH,
        "logo_height": LOGO_HEIGHT,
        "title_height": TITLE_HEIGHT,
        "fact_widths": FACT_WIDTHS,
    }
