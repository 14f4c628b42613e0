"""Charts as view models, and what the template draws of them."""

import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string

from shop.core.charts import (
    HEIGHT,
    LABELS_MAX,
    WIDTH,
    Chart,
    Point,
    bar_chart,
    line_chart,
    nice_top,
    sparkline,
)

HEADINGS = ("Hour", "Purchases")
COMPARED = (*HEADINGS, "A week before")


def _points(*values: int) -> list[Point]:
    return [Point(label=f"{place}:00", value=value) for place, value in enumerate(values)]


def _corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


@pytest.mark.parametrize(
    ("highest", "top"),
    [
        (0, 2),
        (1, 2),
        (3, 4),
        (9, 10),
        (10, 10),
        (11, 12),
        (12, 12),
        (61, 80),
        (99, 100),
        (104, 120),
        (12_345, 16_000),
    ],
)
def test_the_axis_ends_at_a_round_number_whose_half_is_whole(highest: int, top: int) -> None:
    assert nice_top(highest) == top


def test_bars_stand_on_the_axis_and_keep_their_proportions() -> None:
    chart = bar_chart(_points(10, 5, 0), title="Day", headings=HEADINGS)
    heights = [float(slot.bar_height) for slot in chart.slots]
    assert heights == [HEIGHT, HEIGHT / 2, 0]
    for slot in chart.slots:
        assert float(slot.bar_y) + float(slot.bar_height) == HEIGHT
    assert chart.scale == ["10", "5", "0"]


def test_a_line_stays_inside_and_ends_at_its_last_point() -> None:
    chart = line_chart(_points(*range(24)), title="Day", headings=HEADINGS)
    corners = _corners(chart.line)
    assert len(corners) == 24
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners)
    assert (float(chart.last_x) * 10, float(chart.last_y)) == pytest.approx(corners[-1], abs=0.1)


def test_a_line_does_not_lead_to_a_figure_that_still_grows() -> None:
    points = [*_points(5, 5), Point(label="now", value=1, before=5, partial=True)]
    chart = line_chart(points, title="Day", headings=COMPARED)
    assert len(_corners(chart.line)) == 2
    assert _corners(chart.before_line) == []
    assert chart.last_is_partial
    assert float(chart.last_y) > HEIGHT / 2


def test_time_runs_from_right_to_left_where_the_language_does() -> None:
    left = line_chart(_points(1, 2, 3), title="Day", headings=HEADINGS, rtl=False)
    right = line_chart(_points(1, 2, 3), title="Day", headings=HEADINGS, rtl=True)
    assert [x for x, _ in _corners(left.line)] == [x for x, _ in _corners(right.line)][::-1]
    assert [label.text for label in right.labels] == ["0:00", "1:00", "2:00"]
    assert float(right.labels[0].x) > float(right.labels[-1].x)


def test_labels_are_few_and_stay_inside() -> None:
    for count in (1, 2, 7, 8, 24, 25, 90, 366):
        chart = bar_chart(_points(*range(count)), title="Days", headings=HEADINGS)
        assert len(chart.labels) <= LABELS_MAX
        for label in chart.labels:
            x = float(label.x)
            assert 0 <= x <= 100
            assert (label.anchor == "middle") or x < 10 or x > 90
    assert any(label.is_minor for label in chart.labels)


def test_compared_figures_are_a_second_line_and_a_column() -> None:
    points = [
        Point(label="1", value=4, before=2, text="4 purchases", before_text="2 purchases"),
        Point(label="2", value=4, before=8),
    ]
    chart = line_chart(points, title="Day", headings=COMPARED)
    assert [y for _, y in _corners(chart.before_line)] == [HEIGHT * 0.75, 0]
    assert [row.before_text for row in chart.rows] == ["2 purchases", "8"]
    assert chart.slots[0].title == "1: 4 purchases (2 purchases)"


def test_amounts_below_zero_stay_inside() -> None:
    chart = bar_chart(_points(-5, 5), title="Day", headings=HEADINGS)
    assert float(chart.slots[0].bar_height) == 0


def test_no_figures_make_an_empty_chart() -> None:
    assert bar_chart([], title="Day", headings=HEADINGS).is_empty
    assert line_chart([], title="Day", headings=HEADINGS).line == ""
    assert sparkline([], title="Nothing").line == ""


def test_a_sparkline_of_zeros_lies_at_the_bottom() -> None:
    assert {y for _, y in _corners(sparkline([0, 0], title="Nothing").line)} == {23}


def _drawn(chart: Chart) -> str:
    return render_to_string(
        "components/chart.html", {"chart": chart, "key": "Now", "before_key": "Before"}
    )


@pytest.mark.parametrize("make", [bar_chart, line_chart])
def test_a_chart_is_drawn_without_styles_and_with_its_table(make) -> None:
    points = [
        Point(label="<1>", name="<one>", value=Decimal("3.5"), text="3,50 €", before=1),
        Point(label="2", value=2, before=4),
    ]
    page = _drawn(make(points, title="Day & night", headings=COMPARED))
    assert "style" not in page
    assert "<one>" not in page
    drawing = ElementTree.fromstring(page)
    titles = [element.text for element in drawing.iter("title")]
    assert titles == ["Day & night", "<one>: 3,50 € (1)", "2: 2 (4)"]
    cells = [element.text for element in drawing.iter("td")]
    assert cells == ["3,50 €", "1", "2", "4"]
    assert {element.get("class") for element in drawing.iter("path")} >= {"earlier"}
