"""Periods of days that people often ask for."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Period:
    """A named period of days; both its first and its last day belong to it."""

    label: str | Promise
    since: date
    until: date


def periods(today: date) -> list[Period]:
    """Return today, the last days, and the months and the year around them."""
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    return [
        Period(_("Today"), today, today),
        Period(_("7 days"), today - timedelta(days=6), today),
        Period(_("30 days"), today - timedelta(days=29), today),
        Period(_("This month"), month, today),
        Period(_("Last month"), before.replace(day=1), before),
        Period(_("This year"), today.replace(month=1, day=1), today),
    ]
