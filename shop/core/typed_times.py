"""Days and times as people type them, in the reader's time zone.

Nothing is guessed: a text that could mean two days, or a time that the clocks showed twice or
skipped, is refused with a sentence that says what to write.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum
from functools import cache

from babel import Locale
from django.conf import settings
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _

from shop.core import times

EARLIEST_YEAR = 1900
TEXT_MAX = 60

_TODAY = ("today", "heute")
_YESTERDAY = ("yesterday", "gestern")
_NOW = ("now", "jetzt")
_TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,6}))?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?(?: ?uhr)?"
    r"(?: ?(?P<offset>z|utc|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_MOMENT = re.compile(
    rf"(?:(?P<day>.*?[0-9a-zäöü.])(?:t| ?, ?| (?:at |um )?))?{_TIME}", re.IGNORECASE | re.DOTALL
)
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_DAY_FIRST = re.compile(r"([0-9]{1,2})(?:\.|st|nd|rd|th)? ([^\W\d_]+)\.?,?(?: ([0-9]{4}))?")
_MONTH_FIRST = re.compile(r"([^\W\d_]+)\.? ([0-9]{1,2})(?:st|nd|rd|th)?(?:,? ([0-9]{4}))?")


class Edge(Enum):
    """Which moment a day alone means, and which of two times that the clocks showed twice."""

    START = "start"
    END = "end"


def typed_day(text: str) -> date:
    """Return the day of a text such as ``31.5.2024``, ``2024-05-31``, ``31 May`` or ``today``.

    A month by its name needs no year, because pages show this year's days without it. Raise
    ``ValueError`` with a sentence for the reader.
    """
    text = " ".join(text[: TEXT_MAX + 1].split())
    if len(text) > TEXT_MAX:
        raise _no_day()
    lower = text.lower()
    if lower in _TODAY:
        return times.today()
    if lower in _YESTERDAY:
        return times.today() - timedelta(days=1)
    if match := _YEAR_FIRST.fullmatch(text):
        year, _sign, month, day = match.groups()
        return _day(int(year), int(month), int(day), text)
    if match := _YEAR_LAST.fullmatch(text):
        first, sign, second, year = match.groups()
        return _either(int(year), int(first), int(second), text, day_first=sign == ".")
    if match := _DAY_FIRST.fullmatch(lower):
        return _named(match[3], match[2], match[1], text)
    if match := _MONTH_FIRST.fullmatch(lower):
        return _named(match[3], match[1], match[2], text)
    raise _no_day()


def typed_moment(text: str, edge: Edge | None = None) -> datetime:
    """Return the time, in UTC, of a text such as ``31.5.2024 15:54``, ``15:54`` or ``now``.

    It is in the reader's zone unless it has an offset. With an ``edge``, a day alone means its
    first or its last moment, and a time that the clocks showed twice means the first or the
    second. Raise ``ValueError`` with a sentence for the reader.
    """
    text = " ".join(text[: TEXT_MAX + 1].split())
    if text.lower() in _NOW:
        return datetime.now(UTC)
    match = _MOMENT.fullmatch(text) if len(text) <= TEXT_MAX else None
    try:
        if match is None:
            day = typed_day(text)
            if edge is None:
                raise ValueError(
                    _("Give the time of the day, too, such as %(example)s.")
                    % {"example": f"{text} 15:54"}
                )
            return times.first_moment(day) if edge is Edge.START else times.last_moment(day)
        day = typed_day(match["day"]) if match["day"] else times.today()
        local = datetime.combine(day, _time(match, text))
        if match["offset"]:
            return local.replace(tzinfo=_zone(match["offset"])).astimezone(UTC)
        return _in_zone(local, text, edge)
    except OverflowError:
        raise _no_such(text) from None


def _in_zone(local: datetime, text: str, edge: Edge | None) -> datetime:
    zone = get_current_timezone()
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(
            _("The clocks of %(zone)s skipped %(time)s.")
            % {"zone": str(zone), "time": f"{local:%H:%M}"}
        )
    if edge is None:
        raise ValueError(
            _("The clocks of %(zone)s showed %(time)s twice. Write %(first)s or %(second)s.")
            % {
                "zone": str(zone),
                "time": f"{local:%H:%M}",
                "first": f"{text} {_offset(first.astimezone(zone))}",
                "second": f"{text} {_offset(second.astimezone(zone))}",
            }
        )
    return first if edge is Edge.START else second


def _offset(moment: datetime) -> str:
    return f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:5]


def _time(match: re.Match[str], text: str) -> time:
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise _no_such(text)
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    try:
        return time(
            hour,
            int(match["minute"]),
            int(match["second"] or 0),
            int((match["part"] or "").ljust(6, "0")),
        )
    except ValueError:
        raise _no_such(text) from None


def _zone(offset: str) -> timezone:
    if offset.lower() in ("z", "utc"):
        return UTC
    digits = offset[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if span >= timedelta(days=1):
        raise _no_such(offset)
    return timezone(-span if offset[0] == "-" else span)


def _either(year: int, first: int, second: int, text: str, *, day_first: bool) -> date:
    """Return the day of two numbers, of which either may be the month."""
    if day_first or first > 12 or first == second:
        return _day(year, second, first, text)
    if second > 12:
        return _day(year, first, second, text)
    one, other = _day(year, second, first, text), _day(year, first, second, text)
    raise ValueError(
        _("This could mean %(one)s or %(other)s. Write %(iso_one)s or %(iso_other)s.")
        % {
            "one": times.day(one),
            "other": times.day(other),
            "iso_one": one.isoformat(),
            "iso_other": other.isoformat(),
        }
    )


def _named(year: str | None, month: str, day: str, text: str) -> date:
    number = _months().get(month)
    if number is None:
        raise _no_day()
    return _day(int(year) if year else times.today().year, number, int(day), text)


@cache
def _months() -> dict[str, int]:
    """Return the numbers of the months by their names in every language of the site."""
    names: dict[str, int] = {}
    for language, _name in settings.LANGUAGES:
        months = Locale.parse(language, sep="-").months
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in months[context][width].items():
                    names[name.lower().rstrip(".")] = number
    # People write both.
    names |= {"sep": 9, "sept": 9, "mrz": 3, "mar": 3, "jän": 1, "jänner": 1}
    return names


def _day(year: int, month: int, day: int, text: str) -> date:
    try:
        found = date(year, month, day)
    except ValueError:
        raise _no_such(text) from None
    if year < EARLIEST_YEAR:
        raise ValueError(
            _("%(text)s is before the year %(year)s.") % {"text": text, "year": EARLIEST_YEAR}
        )
    return found


def _no_day() -> ValueError:
    return ValueError(
        _("Write a day as 2024-05-31, 31.5.2024 or 31 May 2024, and a time as 15:54.")
    )


def _no_such(text: str) -> ValueError:
    return ValueError(_("There is no such time as %(text)s.") % {"text": text[:TEXT_MAX]})
