"""Times: as machines write them, and as the reader's language and time zone write them.

``static/js/times.js`` does the same in the browser. ``shop.core.typed_times`` reads what people
type.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

import msgspec
from babel import Locale
from django.utils.timezone import get_current_timezone, get_current_timezone_name, localtime
from django.utils.translation import get_language
from django.utils.translation import gettext as _

# English dates are written as most of the world writes them: "26 Nov", never "Nov 26".
_LOCALES = {"en": "en-GB"}
_FIELDS = re.compile("[A-Za-z]+")
# PostgreSQL takes these names for offsets that never change, and not for the zones that we know.
_PLACES = {
    "CET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "MET": "Europe/Brussels",
    "WET": "Europe/Lisbon",
}


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; an end of the calendar for one that is beyond it there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        end = datetime.min if moment.year == datetime.min.year else datetime.max
        return end.replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Return a UTC time with microseconds, as ``2024-05-31T15:54:32.204000Z``."""
    if moment.tzinfo is not UTC:
        moment = in_utc(moment)
    # A quarter of the time that ``isoformat`` takes; it leaves out microseconds that are zero.
    text: str = msgspec.to_builtins(moment)
    return text if moment.microsecond else text[:-1] + ".000000Z"


def sql_zone(name: str) -> str:
    """Return the name of a time zone for ``AT TIME ZONE``."""
    return _PLACES.get(name, name)


class _Names(NamedTuple):
    """The names of months, and patterns for ``str.format``, of one language."""

    short: tuple[str, ...]
    long: tuple[str, ...]
    this_year: str
    with_year: str
    in_full: str
    month: str


@lru_cache
def _names(language: str) -> _Names:
    locale = Locale.parse(_LOCALES.get(language, language), sep="-")
    skeletons = locale.datetime_skeletons
    patterns = (str(skeletons[name]) for name in ("MMMd", "yMMMd"))
    in_full = (str(locale.date_formats["long"]), str(skeletons["yMMMM"]))
    # CLDR writes names of months that stand alone with L, as "LLLL y".
    this_year, with_year, full, month = (
        _FIELDS.sub(lambda field: f"{{{field[0].replace('L', 'M')}}}", pattern)
        for pattern in (*patterns, *in_full)
    )
    months = locale.months["format"]
    return _Names(
        tuple(months["abbreviated"][number] for number in range(1, 13)),
        tuple(months["wide"][number] for number in range(1, 13)),
        this_year,
        with_year,
        full,
        month,
    )


def _date(value: date, pattern: str, names: _Names) -> str:
    month = value.month - 1
    return pattern.format(
        d=value.day, MMM=names.short[month], MMMM=names.long[month], y=f"{value.year:04}"
    )


def _local(moment: datetime) -> datetime:
    try:
        return localtime(moment)
    except OverflowError:
        # The first and the last hours of all years are in no year of some zones.
        return moment


def short(moment: datetime) -> str:
    """Return a time in the reader's zone, as ``26 Nov, 14:05``; with its year if it is another."""
    local = _local(moment)
    names = _names(get_language() or "en")
    now = localtime(datetime.now(UTC))
    pattern = names.this_year if local.year == now.year else names.with_year
    return f"{_date(local, pattern, names)}, {local:%H:%M}"


def full(moment: datetime) -> str:
    """Return ``26 November 2026, 14:05:32, Europe/Berlin (UTC+1)``, in the reader's zone."""
    local = _local(moment)
    names = _names(get_language() or "en")
    return f"{_date(local, names.in_full, names)}, {local:%H:%M:%S}, {zone_label(moment)}"


def day(value: date) -> str:
    """Return a day with its year, as ``26 Nov 2026``."""
    names = _names(get_language() or "en")
    return _date(value, names.with_year, names)


def long_day(value: date) -> str:
    """Return a day with its month and year in full, as ``26 November 2026``."""
    names = _names(get_language() or "en")
    return _date(value, names.in_full, names)


def month(value: date) -> str:
    """Return a month with its year, as ``November 2026``."""
    names = _names(get_language() or "en")
    return _date(value, names.month, names)


def clock(moment: datetime) -> str:
    """Return the time of the day in the reader's zone, as ``14:05``."""
    return f"{_local(moment):%H:%M}"


def zone_label(moment: datetime) -> str:
    """Return the reader's zone and its offset at a moment, as ``Europe/Berlin (UTC+1)``."""
    name = get_current_timezone_name()
    zone = getattr(get_current_timezone(), "key", name)
    offset = _local(moment).utcoffset() or timedelta()
    if zone == "UTC":
        return "UTC"
    minutes = int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"{zone} (UTC{sign}{hours}" + (f":{rest:02})" if rest else ")")


def today() -> date:
    """Return the present day in the reader's zone."""
    return localtime(datetime.now(UTC)).date()


def first_moment(value: date, zone: tzinfo | None = None) -> datetime:
    """Return the first moment, in UTC, of a day in a zone, the reader's if none is given.

    Raise ``OverflowError`` for a day whose first moment is in no year that Python has.
    """
    zone = zone or get_current_timezone()
    midnight = datetime(value.year, value.month, value.day)
    # If the clocks showed midnight twice, the first one begins the day.
    moment = midnight.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == midnight:
        return moment
    # The clocks skipped midnight: the day begins when they changed.
    earliest = midnight.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment - earliest > timedelta(seconds=1):
        between = earliest + (moment - earliest) // 2
        if between.astimezone(zone).date() >= value:
            moment = between
        else:
            earliest = between
    return moment.replace(microsecond=0)


def last_moment(value: date) -> datetime:
    """Return the last microsecond, in UTC, of a day in the reader's zone."""
    if value == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return first_moment(value + timedelta(days=1)) - timedelta(microseconds=1)


def given_moment(text: str, *, is_end: bool) -> datetime:
    """Return, in UTC, what a filter names: a time with an offset, or an end of the reader's day.

    In UTC because PostgreSQL refuses some offsets that Python takes, and fractions of a second in
    any. Raise ``ValueError``, whose text is for the caller.
    """
    try:
        if len(text) == len("2024-05-31"):
            day = date.fromisoformat(text)
            return last_moment(day) if is_end else first_moment(day)
        # A plus sign that the client did not escape arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+", 1) if text[10:11] in "Tt" else text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return in_utc(moment)
    except (ValueError, OverflowError):
        raise ValueError(
            _("Give a day such as 2024-05-31 or a time such as 2024-05-31T15:54:32Z.")
        ) from None
