"""Charts as view models: from figures to the geometry that ``components/chart.html`` draws.

The template writes a drawing that stretches to the width of its place, and texts that do not. So
places along the time axis are thousandths of the width, and heights are pixels. Time runs from
right to left where the reader's language does. Every chart carries the table of its figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import get_language_bidi

from shop.core.money import number

WIDTH = 1000
HEIGHT = 150
LABELS_HEIGHT = 22
LABELS_MAX = 7
"""Labels along the time axis; a phone shows every second one."""
_BAR = Decimal("0.7")
_SMALLEST = Decimal(2)
_MANTISSAS = ("1", "1.2", "1.6", "2", "3", "4", "5", "6", "8", "10")
# A label this near to an edge, in percent, begins or ends there instead of being centred.
_EDGE = 7

Amount = int | Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One figure of a chart, and perhaps the one that it is compared with.

    ``label`` is short and stands at the axis, ``name`` in the table and the tooltip. ``text`` and
    ``before_text`` are the figures as people read them. A ``partial`` figure still grows, so a line
    does not lead to it. Where nothing was observed, ``value`` is ``None`` and the line has a gap.
    ``low`` and ``high`` are the bounds of a figure that is not certain; a band shows them.
    """

    label: str
    value: Amount | None
    name: str = ""
    text: str = ""
    before: Amount | None = None
    before_text: str = ""
    partial: bool = False
    low: Amount | None = None
    high: Amount | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one point: its whole column from ``x``, and its bar."""

    x: str
    width: str
    bar_x: str
    bar_width: str
    bar_y: str
    bar_height: str
    title: str


@dataclass(frozen=True, slots=True)
class AxisLabel:
    """A text below the drawing, ``x`` percent from its left edge."""

    x: str
    anchor: str
    text: str
    is_minor: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """A point as a row of the table."""

    name: str
    text: str
    before_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the template draws. ``line`` and ``before_line`` are paths, or empty."""

    kind: str
    title: str
    description: str
    slots: list[Slot]
    line: str
    area: str
    before_line: str
    last_x: str
    last_y: str
    last_is_partial: bool
    grid: list[str]
    scale: list[str]
    labels: list[AxisLabel]
    headings: Sequence[str]
    rows: list[TableRow]
    compared: bool
    width: int = WIDTH
    height: int = HEIGHT
    whole_height: int = HEIGHT + LABELS_HEIGHT
    labels_y: int = HEIGHT + 16

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to draw."""
        return not self.rows


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line as high as a word, without axes; ``title`` says in words what it shows."""

    title: str
    line: str
    width: int = WIDTH
    height: int = 24


def bar_chart(
    points: Sequence[Point],
    *,
    title: str,
    headings: Sequence[str],
    description: str = "",
    scale: Callable[[Decimal], str] = number,
    rtl: bool | None = None,
) -> Chart:
    """Return a chart of bars from left to right.

    ``headings`` are those of the table: of names, of figures, and perhaps of compared figures.
    ``scale`` writes an amount at the axis. ``rtl`` of ``None`` follows the language.
    """
    return _chart("bars", points, title, headings, description, scale, rtl)


def line_chart(
    points: Sequence[Point],
    *,
    title: str,
    headings: Sequence[str],
    description: str = "",
    scale: Callable[[Decimal], str] = number,
    rtl: bool | None = None,
) -> Chart:
    """Return a chart of one line; a broken second line shows the compared figures."""
    return _chart("line", points, title, headings, description, scale, rtl)


def sparkline(values: Sequence[Amount], *, title: str, rtl: bool | None = None) -> Sparkline:
    """Return a small line of these values."""
    height = 24
    top = Decimal(max(values, default=0)) or Decimal(1)
    places = _centres(len(values), _is_rtl(rtl))
    # Half a stroke stays free at the top and the bottom.
    heights = [1 + (height - 2) * (1 - Decimal(value) / top) for value in values]
    return Sparkline(title, _path(list(zip(places, heights, strict=True))))


def nice_top(highest: Amount) -> Decimal:
    """Return the top of an axis: at least ``highest``, and short to write, as its half is."""
    value = max(Decimal(highest), _SMALLEST)
    power = Decimal(10) ** value.adjusted()
    tops = (Decimal(mantissa) * power for mantissa in _MANTISSAS)
    return next(top for top in tops if top >= value and top % 2 == 0)


def _chart(
    kind: str,
    points: Sequence[Point],
    title: str,
    headings: Sequence[str],
    description: str,
    scale: Callable[[Decimal], str],
    rtl: bool | None,
) -> Chart:
    mirrored = _is_rtl(rtl)
    compared = len(headings) > 2
    highest = max(
        (max(point.value or 0, point.before or 0, point.high or 0) for point in points),
        default=0,
    )
    top = nice_top(highest)
    centres = _centres(len(points), mirrored)
    heights = [_height(point.value or 0, top) for point in points]
    runs: list[list[tuple[Decimal, Decimal]]] = [[]]
    for x, y, point in zip(centres, heights, points, strict=True):
        if point.value is None:
            runs.append([])
        elif kind == "line" and not point.partial:
            runs[-1].append((x, y))
    runs = [run for run in runs if run]
    before = [
        (x, _height(point.before, top))
        for x, point in zip(centres, points, strict=True)
        if point.before is not None and not point.partial
    ]
    line = " ".join(map(_path, runs))
    band = [
        (x, _height(point.low, top), _height(point.high, top))
        for x, point in zip(centres, points, strict=True)
        if point.low is not None and point.high is not None
    ]
    observed = [place for place, point in enumerate(points) if point.value is not None]
    last = observed[-1] if observed else -1
    return Chart(
        kind=kind,
        title=title,
        description=description or _summary(points),
        slots=[
            _slot(x, y, len(points), point)
            for x, y, point in zip(centres, heights, points, strict=True)
        ],
        line=line,
        area=_band(band)
        or " ".join(
            f"{_path(run)} L{run[-1][0]:.1f} {HEIGHT} L{run[0][0]:.1f} {HEIGHT} Z" for run in runs
        ),
        before_line=_path(before) if compared else "",
        last_x=f"{centres[last] / 10:.2f}" if points else "",
        last_y=f"{heights[last]:.1f}" if points else "",
        last_is_partial=bool(points) and points[last].partial,
        grid=[f"{y}" for y in (0.5, HEIGHT / 2, HEIGHT - 0.5)],
        scale=[scale(top), scale(top / 2), scale(Decimal(0))],
        labels=_labels(points, centres),
        headings=headings,
        rows=[
            TableRow(point.name or point.label, _text(point), point.before_text or _number(point))
            for point in points
        ],
        compared=compared,
    )


def _is_rtl(rtl: bool | None) -> bool:
    return get_language_bidi() if rtl is None else rtl


def _centres(count: int, mirrored: bool) -> list[Decimal]:
    """Return the middle of each point's column, in thousandths of the width."""
    centres = [Decimal(WIDTH) * (2 * place + 1) / (2 * count) for place in range(count)]
    return [WIDTH - x for x in centres] if mirrored else centres


def _height(value: Amount, top: Decimal) -> Decimal:
    return HEIGHT * (1 - max(Decimal(value), Decimal(0)) / top)


def _path(corners: Sequence[tuple[Decimal, Decimal]]) -> str:
    written = [f"{x:.1f} {y:.1f}" for x, y in corners]
    return f"M{' L'.join(written)}" if written else ""


def _band(bounds: Sequence[tuple[Decimal, Decimal, Decimal]]) -> str:
    """Return the outline of a band: along its lower bounds, and back along its upper ones."""
    there = [(x, low) for x, low, _high in bounds]
    back = [(x, high) for x, _low, high in reversed(bounds)]
    return f"{_path([*there, *back])} Z" if bounds else ""


def _slot(centre: Decimal, y: Decimal, count: int, point: Point) -> Slot:
    width = Decimal(WIDTH) / count
    bar = width * _BAR
    compared = point.before_text or _number(point)
    title = f"{point.name or point.label}: {_text(point)}"
    return Slot(
        x=f"{centre - width / 2:.1f}",
        width=f"{width:.1f}",
        bar_x=f"{centre - bar / 2:.1f}",
        bar_width=f"{bar:.1f}",
        bar_y=f"{y:.1f}",
        bar_height=f"{HEIGHT - y:.1f}",
        title=f"{title} ({compared})" if compared else title,
    )


def _labels(points: Sequence[Point], centres: list[Decimal]) -> list[AxisLabel]:
    step = -(-len(points) // LABELS_MAX) or 1
    labels = []
    for order, place in enumerate(range(0, len(points), step)):
        x = centres[place] / 10
        half = Decimal(50) / len(points)
        anchor = "middle"
        if x < _EDGE:
            x, anchor = x - half, "start"
        elif x > 100 - _EDGE:
            x, anchor = x + half, "end"
        labels.append(AxisLabel(f"{x:.2f}", anchor, points[place].label, order % 2 == 1))
    return labels


def _text(point: Point) -> str:
    if point.value is None:
        return point.text or "–"
    return point.text or number(Decimal(point.value))


def _number(point: Point) -> str:
    return "" if point.before is None else number(Decimal(point.before))


def _summary(points: Sequence[Point]) -> str:
    """Return the highest figure and the last one, for who cannot see the drawing."""
    known = [point for point in points if point.value is not None]
    if not known:
        return ""
    highest = max(known, key=lambda point: point.value or 0)
    named = [highest] if highest is known[-1] else [highest, known[-1]]
    return "; ".join(f"{point.name or point.label}: {_text(point)}" for point in named)
