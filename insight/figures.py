"""The figures of the dashboard: read together, and shared by everybody with the same day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TypeVar

import structlog
from django.utils import timezone

from insight import selectors
from insight.periods import Period, so_far, week_before
from insight.remembered import remembered
from insight.selectors import ItemSum, NewCustomers, Rate, TooMany, Turnover
from operations.instances import connected

logger = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures as of a moment; ``None`` where one could not be read in time.

    ``newest`` is the time of the last purchase, or ``None`` where there is none. ``connected`` is
    how many users have a socket open.
    """

    as_of: datetime
    newest: datetime | None
    today: Period
    before: Period
    turnover: Turnover | None
    turnover_before: Turnover | None
    items: list[ItemSum] | None
    customers: NewCustomers | None
    customers_before: NewCustomers | None
    rate: Rate | None
    connected: int


def figures_for(zone: tzinfo, using: str) -> Figures:
    """Return the figures of the day in this zone, at most a few seconds old.

    ``using`` is the database that they are read from if nobody has just read them.
    """
    now = timezone.now()
    periods = (so_far(now, zone), week_before(now, zone))
    # Zones with the same clock share their figures.
    key = "|".join(f"{each.day:%d%H%M}-{each.hours:%d%H%M}" for each in periods)
    return remembered(f"dashboard:{key}", lambda: _read(zone, using))


def _read(zone: tzinfo, using: str) -> Figures:
    as_of, newest = selectors.state(using)
    today, before = so_far(as_of, zone), week_before(as_of, zone)
    return Figures(
        as_of=as_of,
        newest=newest,
        today=today,
        before=before,
        turnover=_in_time("turnover", lambda: selectors.turnover(using, today)),
        turnover_before=_in_time("turnover_before", lambda: selectors.turnover(using, before)),
        items=_in_time("items", lambda: selectors.top_items(using, today)),
        customers=_in_time("customers", lambda: selectors.new_customers(using, today)),
        customers_before=_in_time(
            "customers_before", lambda: selectors.new_customers(using, before)
        ),
        rate=_in_time("rate", lambda: selectors.rate(using)),
        connected=connected()[0],
    )


def _in_time(name: str, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except TooMany:
        logger.warning("insight.too_many", figure=name)
        return None
