"""The question of the page: days as people type them, in the reader's time zone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.utils.timezone import get_current_timezone_name

from accounts.access import Caller
from insight.statistics.calendar import Interval, day_of
from insight.statistics.questions import Question, question
from shop.core.errors import FieldError, ValidationFailed
from shop.core.typed_times import typed_day

_PLAIN = re.compile(r"\d{4}(-\d{2}){0,2}")
# A period of at most so many days is shown by this interval.
_FITS = ((2, Interval.HOUR), (92, Interval.DAY), (366, Interval.WEEK), (3660, Interval.MONTH))
_KEPT = ("item", "username", "currency", "interval", "compare")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """The question, its first and last day, and the address of the same question."""

    question: Question
    first: date
    last: date
    others: str
    """The parameters beside the period, encoded."""
    query: str
    """The parameters of the API for the same figures, encoded."""


def page_question(caller: Caller, given: Mapping[str, str], now: datetime) -> PageQuestion:
    """Return what the page's address asks for; raise ``ValidationFailed`` for what nobody reads."""
    parameters = {name: given[name].strip() for name in _KEPT if given.get(name, "").strip()}
    others = urlencode(parameters)
    errors = []
    for name in ("since", "until"):
        text = given.get(name, "").strip()
        try:
            if text:
                plain = _PLAIN.fullmatch(text)
                parameters[name] = text if plain else typed_day(text).isoformat()
        except ValueError as error:
            errors.append(FieldError("invalid", str(error), name))
    if errors:
        raise ValidationFailed(errors)
    parameters["time_zone"] = get_current_timezone_name()
    asked = question(caller, parameters, now)
    first = day_of(asked.since, asked.zone)
    last = day_of(asked.until - _MICROSECOND, asked.zone)
    if "interval" not in parameters:
        days = (last - first).days + 1
        parameters["interval"] = next(
            (interval for most, interval in _FITS if days <= most), Interval.YEAR
        )
        asked = question(caller, parameters, now)
    parameters |= {"since": first.isoformat(), "until": last.isoformat()}
    return PageQuestion(asked, first, last, others, urlencode(parameters))


def in_zone(text: str) -> datetime:
    """Return the time of an answer in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
