"""The figures as the dashboard shows them: compared, named and drawn."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from insight.figures import Figures
from insight.periods import HOURS, Period
from insight.selectors import Turnover
from purchases.totals import Sum
from shop.core import times
from shop.core.charts import Chart, Point, line_chart
from shop.core.money import number
from shop.core.site_settings.general import DEFAULT_CURRENCY

CURRENCIES = 3
"""Currencies with a card of their own; the others stand in a table."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An amount of today, and that of the same time a week before.

    ``currency`` is empty for a number.
    """

    currency: str
    now: Decimal | int
    before: Decimal | int
    purchases: int = 0

    @property
    def change(self) -> str:
        """Return the change in whole percent with its sign, or nothing if nothing was before."""
        if not self.before:
            return ""
        percent = round(100 * (Decimal(self.now) - Decimal(self.before)) / Decimal(self.before))
        sign = {1: "+", -1: "\u2212", 0: "±"}[(percent > 0) - (percent < 0)]
        return f"{sign}{number(abs(percent))} %"

    @property
    def icon(self) -> str:
        """Return the icon of the change, if there is one in whole percent."""
        return {"+": "trending-up", "\u2212": "trending-down"}.get(self.change[:1], "")

    @property
    def kind(self) -> str:
        """Return the kind of the change, which has a colour."""
        return {"trending-up": "good", "trending-down": "bad"}.get(self.icon, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the template shows. ``amounts`` is ``None`` where today could not be summed in time."""

    figures: Figures
    purchases: Compared | None
    customers: Compared | None
    amounts: list[Compared] | None
    more_amounts: list[Compared]
    chart: Chart | None
    before_until: datetime
    zone: str


def board(figures: Figures) -> Board:
    """Return the figures as the reader's dashboard shows them."""
    now, before = figures.turnover, figures.turnover_before
    amounts: list[Compared] | None = None
    purchases = None
    if now is not None and before is not None:
        amounts = _amounts(now, before)
        purchases = Compared("", now.purchases, before.purchases)
    new, new_before = figures.customers, figures.customers_before
    return Board(
        figures=figures,
        customers=Compared("", new.count, new_before.count)
        if new and new_before and not (new.more or new_before.more)
        else None,
        purchases=purchases,
        amounts=amounts and amounts[:CURRENCIES],
        more_amounts=(amounts or [])[CURRENCIES:],
        chart=_chart(figures, now, before) if now is not None else None,
        before_until=figures.before.until,
        zone=times.zone_label(figures.as_of),
    )


def _amounts(now: Turnover, before: Turnover) -> list[Compared]:
    """Return the amounts by currency: the shop's own first, then those with most purchases."""
    nothing = Sum("")
    today = {each.currency: each for each in now.day}
    earlier = {each.currency: each for each in before.day}
    amounts = [
        Compared(
            currency,
            today.get(currency, nothing).amount,
            earlier.get(currency, nothing).amount,
            today.get(currency, nothing).purchases,
        )
        for currency in today | earlier
    ]
    own = DEFAULT_CURRENCY.value
    return sorted(amounts, key=lambda each: (each.currency != own, -each.purchases, each.currency))


def _chart(figures: Figures, now: Turnover, before: Turnover | None) -> Chart:
    headings = [_("Hour"), _("Purchases")]
    if before is not None:
        headings.append(_("A week before"))
    return line_chart(
        [
            Point(
                label=label,
                name=name,
                value=now.hours[hour],
                before=None if before is None else before.hours[hour],
                partial=hour == HOURS - 1,
            )
            for hour, (label, name) in enumerate(_hours(figures.today))
        ],
        title=_("Purchases by hour, the last 24 hours"),
        headings=headings,
    )


def _hours(period: Period) -> list[tuple[str, str]]:
    """Return each hour's label at the axis, and its whole name."""
    moments = [period.hour_begins(hour) for hour in range(HOURS)]
    # Where the clocks changed, an hour may have come twice.
    zones = [times.zone_label(moment) for moment in moments]
    names = [
        times.short(moment) if len(set(zones)) == 1 else f"{times.short(moment)}, {zone}"
        for moment, zone in zip(moments, zones, strict=True)
    ]
    names[-1] = _("%(time)s, so far") % {"time": names[-1]}
    return [(times.clock(moment), name) for moment, name in zip(moments, names, strict=True)]
