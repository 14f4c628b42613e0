"""The figures as the page shows them: named, compared and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from insight.board import Compared
from insight.statistics.answers import Json, answer
from insight.statistics.calendar import Interval, months_later
from insight.statistics.typed import PageQuestion, in_zone
from shop.core import times
from shop.core.charts import Chart, Point, bar_chart, line_chart
from shop.core.money import number, shown
from shop.core.times import first_moment

BARS = 60
"""More periods than these are drawn as a line."""
TOP = 10
COHORT_MONTHS = 12


@dataclass(frozen=True, slots=True)
class CurrencyBoard:
    """The figures of one currency."""

    currency: str
    figures: list[tuple[str, Compared]]
    charts: list[Chart]
    items: list[Json]
    other: Json | None


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A month, its new customers, and the share of them who bought again, in percent by month."""

    month: str
    customers: int
    shares: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the template shows."""

    as_of: str
    exact: bool
    position: int
    zone: str
    currencies: list[CurrencyBoard]
    customers: Json
    repeat_percent: str
    cohorts: list[CohortRow]
    cohort_heads: list[str]
    hours: Chart | None
    weekdays: Chart | None
    is_compared: bool
    exports: list[tuple[str, str]]


def board(asked: PageQuestion, using: str, *, everything: bool) -> Board:
    """Return the figures that the page shows; ``everything`` adds customers and cohorts."""
    question = replace(asked.question, limit=TOP)
    whole = replace(question, compare="")
    sales = _body("sales", question, using)
    items = {block["currency"]: block for block in _body("items", whole, using)["currencies"]}
    customers = _body("customers", whole, using)
    week = _body("weekdays", whole, using)["currencies"]
    cohorts: Json = {"cohorts": []}
    if everything and question.scope.customer is None:
        first = months_later(asked.last.replace(day=1), 1 - COHORT_MONTHS)
        since = first_moment(first, question.zone)
        cohorts = _body("cohorts", replace(whole, since=since, interval=Interval.MONTH), using)
    return Board(
        as_of=sales["as_of"],
        exact=sales["exact"],
        position=sales["position"],
        zone=times.zone_label(question.since),
        currencies=[
            _currency(block, items.get(block["currency"]), question.interval)
            for block in sales["currencies"]
        ],
        customers=customers,
        repeat_percent=f"{number(Decimal(str(customers['repeat_rate'])) * 100)} %",
        cohorts=[_cohort(each) for each in cohorts["cohorts"]],
        cohort_heads=[number(later) for later in range(1, COHORT_MONTHS)],
        hours=_hours(week) if week else None,
        weekdays=_weekdays(week) if week else None,
        is_compared=bool(question.compare),
        exports=[
            (f"{label}, {ending.upper()}", f"/api/v1/statistics/{kind}.{ending}?{asked.query}")
            for kind, label in (
                ("sales", _("Sales")),
                ("items", _("Items")),
                ("customers", _("Customers")),
                ("weekdays", _("Hours of the week")),
            )
            for ending in ("csv", "xlsx")
        ],
    )


def _body(kind: str, question: Any, using: str) -> Json:
    # Without a known tag an answer has a body.
    return answer(kind, question, using).body or {}


def _currency(block: Json, items: Json | None, interval: Interval) -> CurrencyBoard:
    currency, totals = block["currency"], block["totals"]
    before = block["compared"]["totals"] if "compared" in block else {}

    def compared(name: str, amount: bool) -> Compared:
        now, then = totals[name], before.get(name, 0)
        if amount:
            return Compared(currency, Decimal(now), Decimal(then), totals["purchases"])
        return Compared("", now, then)

    figures = [
        (_("Sold"), compared("revenue", True)),
        (_("Purchases"), compared("purchases", False)),
        (_("A purchase on average"), compared("average", True)),
        (_("Customers"), compared("customers", False)),
    ]
    charts = [
        _chart(block, "revenue", interval, _("Sold in %s") % currency, _("Sold")),
        _chart(block, "purchases", interval, _("Purchases in %s") % currency, _("Purchases")),
    ]
    listed = items["items"] if items else []
    other = items["other"] if items and items["other"]["items"] else None
    return CurrencyBoard(currency, figures, charts, listed, other)


def _chart(block: Json, name: str, interval: Interval, title: str, heading: str) -> Chart:
    periods = block["periods"]
    earlier = block.get("compared", {}).get("periods", [])
    is_money = name == "revenue"

    def value(period: Json) -> Decimal:
        return Decimal(period[name])

    def text(amount: Decimal) -> str:
        return shown(amount, block["currency"]) if is_money else number(amount)

    points = []
    for place, period in enumerate(periods):
        before = value(earlier[place]) if place < len(earlier) else None
        label, words = _names(period["start"], interval)
        points.append(
            Point(
                label=label,
                name=words,
                value=value(period),
                text=text(value(period)),
                before=before,
                before_text="" if before is None else text(before),
                partial=not period["complete"],
            )
        )
    headings = [_("Period"), heading]
    if earlier:
        headings.append(_("Before"))
    draw = line_chart if len(points) > BARS or earlier else bar_chart
    return draw(points, title=title, headings=headings)


def _names(start: str, interval: Interval) -> tuple[str, str]:
    """Return the label of a period at the axis, and its whole name."""
    moment = in_zone(start)
    day = localtime(moment).date()
    match interval:
        case Interval.HOUR:
            return times.clock(moment), f"{times.day(day)}, {times.clock(moment)}"
        case Interval.MONTH:
            return date_format(day, "M"), times.month(day)
        case Interval.YEAR:
            return str(day.year), str(day.year)
    return date_format(day, "j M"), times.day(day)


def _cohort(each: Json) -> CohortRow:
    month = date.fromisoformat(f"{each['month']}-01")
    customers = each["customers"]
    return CohortRow(
        times.month(month),
        customers,
        [number(round(100 * active / customers)) for active in each["active"][1:]],
    )


def _weekdays(week: Sequence[Json]) -> Chart:
    counts = [sum(sum(block["purchases"][day]) for block in week) for day in range(7)]
    return bar_chart(
        [
            Point(label=str(WEEKDAYS[day])[:3], name=str(WEEKDAYS[day]), value=count)
            for day, count in enumerate(counts)
        ],
        title=_("Purchases by day of the week"),
        headings=[_("Day"), _("Purchases")],
    )


def _hours(week: Sequence[Json]) -> Chart:
    counts = [sum(day[hour] for block in week for day in block["purchases"]) for hour in range(24)]
    return bar_chart(
        [Point(label=f"{hour:02}:00", value=count) for hour, count in enumerate(counts)],
        title=_("Purchases by hour of the day"),
        headings=[_("Hour"), _("Purchases")],
    )
