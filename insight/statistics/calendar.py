"""Periods of a time zone: hours, days, weeks, months and years as its clocks show them.

A day begins at its first moment, where the clocks skip midnight too, and ends where the next one
begins. So a day may have 23 or 25 hours, and a day that the clocks skipped is none. An hour ends
where the clock's offset changes, so a repeated hour is two periods.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from shop.core.errors import ApplicationError
from shop.core.times import first_moment

MAX_PERIODS = 1000
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
# No zone has changed its offset twice in less than four days, nor once before 1800.
_BETWEEN_CHANGES = timedelta(days=3)
_ONE_OFFSET_UNTIL = datetime(1800, 1, 1, tzinfo=UTC)


class Interval(enum.StrEnum):
    """The length of a period."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class WeekStart(enum.IntEnum):
    """The first day of a week, as ``date.weekday`` counts."""

    MONDAY = 0
    SATURDAY = 5
    SUNDAY = 6


class TooManyPeriods(ApplicationError):
    """The range has more periods than one answer has."""

    code = "too_many_periods"
    detail = f"The range has more than {MAX_PERIODS} periods. Take a longer interval."
    attr = "interval"


@dataclass(frozen=True, slots=True)
class Period:
    """A part of time from ``start``, before ``end``, in UTC; ``partial`` if a range cuts it off."""

    start: datetime
    end: datetime
    partial: bool = False


# Most questions are asked again and again, and a year of days takes some milliseconds.
@lru_cache(maxsize=64)
def periods(
    since: datetime,
    until: datetime,
    interval: Interval,
    zone: tzinfo,
    week_start: WeekStart = WeekStart.MONDAY,
) -> Sequence[Period]:
    """Return the periods of a range, oldest first; raise ``TooManyPeriods``.

    They touch each other and cover the range exactly, so the first and the last may be partial.
    """
    if interval is Interval.HOUR:
        moments = _hours(since, zone)
    else:
        moments = _days(since, interval, zone, week_start)
    found: list[Period] = []
    for start, end in pairwise(moments):
        if len(found) == MAX_PERIODS:
            raise TooManyPeriods()
        cut = start < since or end > until
        found.append(Period(max(start, since), min(end, until), cut))
        if end >= until:
            return tuple(found)
    raise AssertionError("Time has no end.")


def day_of(moment: datetime, zone: tzinfo) -> date:
    """Return the day that a moment is in."""
    day = moment.astimezone(zone).date()
    # Where clocks go back over midnight, the earlier day shows again after its end.
    return day + _DAY if first_moment(day + _DAY, zone) <= moment else day


def begins(day: date, interval: Interval, week_start: WeekStart = WeekStart.MONDAY) -> date:
    """Return the first day of the period that a day is in."""
    match interval:
        case Interval.WEEK:
            return day - timedelta(days=(day.weekday() - week_start) % 7)
        case Interval.MONTH:
            return day.replace(day=1)
        case Interval.YEAR:
            return day.replace(month=1, day=1)
    return day


def follows(day: date, interval: Interval) -> date:
    """Return the first day of the next period; ``day`` is the first day of one."""
    match interval:
        case Interval.WEEK:
            return day + timedelta(days=7)
        case Interval.MONTH:
            return months_later(day, 1)
        case Interval.YEAR:
            return months_later(day, 12)
    return day + _DAY


def months_later(day: date, months: int) -> date:
    """Return the same day so many months later, or the last day of a shorter month."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(years, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise OverflowError("There is no such month.")


def offset_changes(since: datetime, until: datetime, zone: tzinfo) -> list[datetime]:
    """Return the moments after ``since``, before ``until``, at which the zone's offset changes."""
    found: list[datetime] = []
    before = max(since, _ONE_OFFSET_UNTIL)
    while before < until:
        after = min(before + _BETWEEN_CHANGES, until)
        if _offset(before, zone) != _offset(after, zone):
            found.append(_change(before, after, zone))
        before = after
    return [each for each in found if since < each < until]


def _days(
    since: datetime, interval: Interval, zone: tzinfo, week_start: WeekStart
) -> Iterator[datetime]:
    day = begins(day_of(since, zone), interval, week_start)
    last = None
    while True:
        moment = first_moment(day, zone)
        if moment != last:
            yield moment
        last, day = moment, follows(day, interval)


def _hours(since: datetime, zone: tzinfo) -> Iterator[datetime]:
    moment = since - _into_hour(since, zone)
    if _offset(moment, zone) != _offset(since, zone):
        moment = _change(moment, since, zone)
    while True:
        yield moment
        end = moment + _HOUR - _into_hour(moment, zone)
        changed = _offset(end, zone) != _offset(moment, zone)
        moment = _change(moment, end, zone) if changed else end


def _into_hour(moment: datetime, zone: tzinfo) -> timedelta:
    local = moment.astimezone(zone)
    return timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _offset(moment: datetime, zone: tzinfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the second at which the offset changes between two moments."""
    first = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        between = before + (after - before) / 2
        if _offset(between, zone) == first:
            before = between
        else:
            after = between
    return after.replace(microsecond=0).astimezone(UTC)
