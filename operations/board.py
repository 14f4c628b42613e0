"""The operating figures as the page shows them: named, rounded and drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from operations import instances, series
from operations.deploys import deploys
from operations.forecasts import forecast_of
from operations.instances import Seen
from operations.models import Deploy
from operations.now import Now, now
from operations.series import Query
from shop.core import times
from shop.core.charts import Chart, Point, line_chart
from shop.core.money import number

SPANS = {"hour": (60, 60), "day": (96, 900), "week": (84, 7200)}
"""How many points of how many seconds each span of the page has."""
MINUTES = 15
DEPLOYS = 10
HOURS = 24
"""How far the page looks ahead."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A present figure, as ``components/figure.html`` takes it."""

    label: str
    value: str
    comparison: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A forecast and how far to believe it; without a chart, ``days_missing`` says why."""

    title: str
    chart: Chart | None
    days_missing: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the template shows."""

    now: Now
    figures: list[Figure]
    charts: list[Chart]
    forecasts: list["Expected"]
    instances: list[Seen]
    deploys: list[Deploy]
    zone: str
    empty: bool


def board(span: str) -> Board:
    """Return the present figures, and the charts of a span in ``SPANS``."""
    present = now(MINUTES)
    points, step = SPANS[span]
    until = present.at.replace(second=0, microsecond=0)
    query = Query(until - timedelta(seconds=points * step), until, step)
    return Board(
        now=present,
        figures=_figures(present),
        charts=[_chart(title, metric, query, span) for metric, title in _titles().items()],
        forecasts=[_expected(title, metric) for metric, title in _expectations().items()],
        instances=instances.instances(),
        deploys=list(deploys()[:DEPLOYS]),
        zone=times.zone_label(present.at),
        empty=present.requests_per_second is None,
    )


def _titles() -> dict[str, str]:
    return {
        "requests_per_second": _("Requests a second"),
        "response_time": _("Response time, 95 of 100 are faster"),
        "errors": _("Answers that failed"),
        "users_connected": _("Users connected"),
    }


def _figures(present: Now) -> list[Figure]:
    users, turnover = present.users, present.turnover
    p50, p95, p99 = (present.response_time[part] for part in ("p50", "p95", "p99"))
    return [
        Figure(_("Requests a second"), _decimal(present.requests_per_second)),
        Figure(
            _("Response time, 95 of 100 are faster"),
            _seconds(p95),
            "" if p50 is None else _("half: %(p50)s, 99 of 100: %(p99)s")
            % {"p50": _seconds(p50), "p99": _seconds(p99)},
        ),
        Figure(
            _("Failed a second"),
            _decimal(present.errors_per_second),
            kind="bad" if present.errors_per_second else "",
        ),
        Figure(_("Purchases a second"), _decimal(present.purchases_per_second)),
        Figure(
            _("Users connected"),
            number(users["connected"]),
            _("by %(sockets)s sockets") % {"sockets": number(users["sockets"])},
        ),
        Figure(_("Users active, 15 minutes"), number(users["active"])),
        Figure(
            _("Signed in, 15 minutes"),
            number(turnover["signed_in"]),
            *_usual(turnover["predicted"], "signed_in", turnover["verdict"]),
        ),
        Figure(
            _("Signed out, 15 minutes"),
            number(turnover["signed_out"]),
            *_usual(turnover["predicted"], "signed_out", ""),
        ),
    ]  # fmt: skip


def _usual(predicted: Any, kind: str, verdict: str) -> tuple[str, str]:
    if not predicted:
        return "", ""
    usual = predicted[kind]
    text = _("usual: %(low)s to %(high)s") % {
        "low": number(usual["low"]), "high": number(usual["high"]),
    }  # fmt: skip
    return text, "warn" if verdict in ("more", "fewer") else ""


def _chart(title: str, metric: str, query: Query, span: str) -> Chart:
    write: Callable[[float | None], str] = _seconds if metric == "response_time" else _decimal
    thousand = 1000 if metric == "response_time" else 1
    return line_chart(
        [
            Point(
                label=_label(point.at, span),
                name=times.short(point.at),
                value=None if point.value is None else round(Decimal(point.value * thousand), 3),
                text=write(point.value),
            )
            for point in series.series(metric, query)
        ],
        title=title if thousand == 1 else _("%(title)s, in ms") % {"title": title},
        headings=[_("Time"), title],
    )


def _expectations() -> dict[str, str]:
    return {
        "requests_per_second": _("Requests a second, the next 24 hours"),
        "sign_ins": _("Sign-ins an hour, the next 24 hours"),
    }


def _expected(title: str, metric: str) -> Expected:
    made = forecast_of(metric, HOURS)
    test = made.forecast.backtest
    chart = note = None
    if made.forecast.points:
        chart = line_chart(
            [
                Point(
                    label=times.clock(at),
                    name=times.short(at),
                    value=_rounded(point.mean),
                    text=_decimal(point.mean),
                    low=_rounded(point.low80),
                    high=_rounded(point.high80),
                    before_text=_("%(low)s to %(high)s")
                    % {"low": _decimal(point.low80), "high": _decimal(point.high80)},
                )
                for hour, point in enumerate(made.forecast.points)
                for at in (made.since + timedelta(hours=hour),)
            ],
            title=title,
            headings=[_("Time"), _("Expected"), _("80 of 100 lie within")],
        )
    if test is not None:
        note = _(
            "On the last %(days)s days, its error was %(part)s %% of that of “like a week ago”."
        )
        part = 100 * test.mae / test.baseline_mae if test.baseline_mae else 100
        note %= {"days": number(test.origins), "part": number(round(part))}
    return Expected(
        title=title, chart=chart, days_missing=made.forecast.days_missing, note=note or ""
    )


def _rounded(value: float) -> Decimal:
    return round(Decimal(value), 3)


def _label(moment: datetime, span: str) -> str:
    return times.short(moment) if span == "week" else times.clock(moment)


def _decimal(value: float | None) -> str:
    """Return a number with two decimals at most, or a dash where nothing was observed."""
    return "–" if value is None else number(_trimmed(value))


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 1:
        return f"{number(_trimmed(value))} s"
    milliseconds = round(value * 1000) if value >= 0.01 else round(value * 1000, 1)
    return f"{number(_trimmed(milliseconds))} ms"


def _trimmed(value: float) -> Decimal:
    rounded = Decimal(str(round(value, 2)))
    whole = rounded.to_integral_value()
    return whole if rounded == whole else rounded
