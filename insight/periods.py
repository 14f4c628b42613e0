"""The reader's day, and the same weekday a week before, as moments in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

HOURS = 24
WEEK = timedelta(days=7)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A day until a moment, and the 24 hours that end with that moment's hour.

    ``day`` is the day's first moment, ``hours`` the first moment of the first hour. The period ends
    before ``until``.
    """

    day: datetime
    hours: datetime
    until: datetime

    @property
    def since(self) -> datetime:
        """Return the first moment of both."""
        return min(self.day, self.hours)

    def hour_begins(self, number: int) -> datetime:
        """Return the first moment of one of the 24 hours; the first is number 0."""
        return self.hours + number * _HOUR


def day_begins(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day in a zone, in UTC.

    Where the clocks skip midnight, that is the moment at which they do.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def so_far(now: datetime, zone: tzinfo) -> Period:
    """Return the period that ends now, for a reader in the zone."""
    local = now.astimezone(zone)
    hour = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    return Period(day_begins(local.date(), zone), hour - (HOURS - 1) * _HOUR, now.astimezone(UTC))


def week_before(now: datetime, zone: tzinfo) -> Period:
    """Return the period that ends when the reader's clock showed the same a week ago.

    If the clock skipped that time, the period ends when the skipped hour would have been.
    """
    local = now.astimezone(zone)
    earlier = (local.replace(tzinfo=None) - WEEK).replace(tzinfo=zone, fold=local.fold)
    return so_far(earlier.astimezone(UTC), zone)
