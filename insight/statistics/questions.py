"""What somebody asks the statistics, read from the parameters of a request.

A day, a month or a year without a time is one of ``time_zone``, and belongs to the range as a
whole. A time has an offset; the range ends before it.
"""

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from accounts.access import Caller
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.names import fold, normalise
from accounts.permissions import Permission, allows
from insight.statistics.calendar import (
    Interval,
    Period,
    WeekStart,
    begins,
    day_of,
    follows,
    months_later,
    periods,
)
from insight.statistics.facts import Scope
from purchases.models import ITEM_MAX_LENGTH
from purchases.validation import parse_moment
from shop.core.errors import FieldError, Forbidden, ValidationFailed
from shop.core.times import first_moment

LIMIT_MAX = 500
NOBODY = -1
"""The id of no account."""
_DAY = timedelta(days=1)
# How many days there are where nothing says when a range begins.
_USUAL_DAYS = {
    Interval.HOUR: 2,
    Interval.DAY: 30,
    Interval.WEEK: 84,
    Interval.MONTH: 365,
    Interval.YEAR: 5 * 365,
}
_CURRENCY = re.compile("[A-Z]{3}")
_MONTH = re.compile(r"\d{4}-\d{2}")
_YEAR = re.compile(r"\d{4}")
COMPARE = ("previous", "year")
ORDERS = ("revenue", "purchases", "quantity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a range from ``since``, before ``until``, and how it is cut up.

    ``first_day`` and ``last_day`` are the days of the range in ``zone``.
    """

    since: datetime
    until: datetime
    now: datetime
    interval: Interval
    zone: tzinfo
    zone_name: str
    week_start: WeekStart
    scope: Scope
    compare: str = ""
    order: str = "revenue"
    limit: int = 20

    def periods(self) -> Sequence[Period]:
        """Return the periods of the range; raise ``TooManyPeriods``."""
        return periods(self.since, self.until, self.interval, self.zone, self.week_start)

    def compared(self) -> "Question | None":
        """Return the question about the range that this one is compared with."""
        if not self.compare:
            return None
        first, end = (self.since.astimezone(self.zone), self.until.astimezone(self.zone))
        try:
            if self.compare == "year":
                since, until = (_year_before(each, self.zone) for each in (first, end))
            elif self._is_days:
                first_day = day_of(self.since, self.zone)
                days = day_of(self.until, self.zone) - first_day
                since, until = first_moment(first_day - days, self.zone), self.since
            else:
                since, until = self.since - (self.until - self.since), self.since
        except OverflowError:
            raise _invalid("since", "There is nothing before this.") from None
        return replace(self, since=since, until=until, compare="")

    @property
    def _is_days(self) -> bool:
        return all(
            first_moment(day_of(each, self.zone), self.zone) == each
            for each in (self.since, self.until)
        )


def _year_before(local: datetime, zone: tzinfo) -> datetime:
    day = months_later(local.date(), -12)
    if first_moment(local.date(), zone) == local:
        return first_moment(day, zone)
    return datetime.combine(day, local.time(), tzinfo=zone).astimezone(UTC)


def question(
    caller: Caller, given: Mapping[str, str], now: datetime, *, default: Interval = Interval.DAY
) -> Question:
    """Return what the parameters ask for.

    Raise ``ValidationFailed`` with an error for each wrong one, and ``Forbidden`` where somebody
    asks for another's figures without the right to see them.
    """
    errors: list[FieldError] = []

    def choice(name: str, choices: tuple[str, ...], usual: str) -> str:
        value = given.get(name) or usual
        if value not in choices:
            listed = ", ".join(choices)
            errors.append(FieldError("invalid_choice", f"It is one of {listed}.", name))
            return usual
        return value

    interval = Interval(choice("interval", tuple(Interval), default))
    week = choice("week_start", tuple(each.name.lower() for each in WeekStart), "monday")
    compare = given.get("compare") and choice("compare", COMPARE, "previous")
    order = choice("order", ORDERS, "revenue")
    zone_name = given.get("time_zone") or "UTC"
    zone = _zone(zone_name)
    if zone is None:
        errors.append(FieldError("invalid", "There is no such time zone.", "time_zone"))
    zone = zone or UTC
    limit = given.get("limit") or "20"
    is_number = limit.isascii() and limit.isdigit() and len(limit) < 10
    if not (is_number and 1 <= int(limit) <= LIMIT_MAX):
        errors.append(FieldError("invalid", f"It is a number up to {LIMIT_MAX}.", "limit"))
    currency, item = given.get("currency"), given.get("item")
    if currency and not _CURRENCY.fullmatch(currency):
        errors.append(FieldError("invalid", "It has three capital letters.", "currency"))
    if item is not None and (len(item) > ITEM_MAX_LENGTH or "\x00" in item):
        errors.append(FieldError("invalid", "No item has such a name.", "item"))
    since, until = now, now
    try:
        since, until = _range(given, zone, interval, WeekStart[week.upper()], now)
    except ValidationFailed as error:
        errors += error.errors
    if errors:
        raise ValidationFailed(errors)
    customer = _customer(caller, given.get("username"))
    return Question(
        since=since,
        until=until,
        now=now,
        interval=interval,
        zone=zone,
        zone_name=zone_name,
        week_start=WeekStart[week.upper()],
        scope=Scope(customer, item, currency or None),
        compare=compare or "",
        order=order,
        limit=int(limit),
    )


def may_see_all(caller: Caller) -> bool:
    """Return whether the caller sees the figures of the shop, and not only its own."""
    return allows(caller.permissions, Permission.INSIGHT_READ_ALL)


def _customer(caller: Caller, username: str | None) -> int | None:
    """Return whose purchases are wanted; ``None`` are everybody's, and nobody has ``NOBODY``."""
    if not may_see_all(caller):
        if username and fold(normalise(username)) != fold(caller.username):
            raise Forbidden(accepted=Permission.INSIGHT_READ_ALL.code)
        return caller.id
    if not username:
        return None
    if len(username) > USERNAME_MAX_LENGTH or "\x00" in username:
        return NOBODY
    found = User.objects.named(username).values_list("pk", flat=True).first()
    return NOBODY if found is None else found


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    try:
        # The machine's own zone, localtime, is none that a client could mean.
        if len(name) > 64 or name not in zoneinfo.available_timezones() or name[:1].islower():
            return None
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError):
        return None


def _range(
    given: Mapping[str, str], zone: tzinfo, interval: Interval, week_start: WeekStart, now: datetime
) -> tuple[datetime, datetime]:
    errors = []
    ends: dict[str, datetime] = {}
    for name in ("since", "until"):
        text = (given.get(name) or "").strip()
        if not text:
            continue
        try:
            ends[name] = _moment(text, zone, is_end=name == "until")
        except (ValueError, OverflowError):
            detail = "Give a day such as 2024-05-31, a month, or a time with an offset."
            errors.append(FieldError("invalid", detail, name))
    if errors:
        raise ValidationFailed(errors)
    try:
        until = ends.get("until") or first_moment(day_of(now, zone) + _DAY, zone)
        since = ends.get("since")
        if since is None:
            last_day = day_of(until - timedelta(microseconds=1), zone)
            first = last_day - timedelta(days=_USUAL_DAYS[interval] - 1)
            if interval not in (Interval.DAY, Interval.HOUR):
                first = begins(first, interval, week_start)
            since = first_moment(first, zone)
        # Both neighbours of the range exist, too.
        first_moment(day_of(since, zone) - 8 * _DAY, zone)
        first_moment(follows(day_of(until, zone), Interval.YEAR) + _DAY, zone)
    except (ValueError, OverflowError):
        raise _invalid("since", "No such time can be told in every zone.") from None
    if since >= until:
        raise _invalid("until", "The range ends before it begins.")
    return since, until


def _invalid(name: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError("invalid", detail, name)])


def _moment(text: str, zone: tzinfo, *, is_end: bool) -> datetime:
    if _YEAR.fullmatch(text):
        first, interval = date(int(text), 1, 1), Interval.YEAR
    elif _MONTH.fullmatch(text):
        first, interval = date.fromisoformat(f"{text}-01"), Interval.MONTH
    elif len(text) == 10:
        first, interval = date.fromisoformat(text), Interval.DAY
    else:
        # A plus sign that the client did not escape arrives as a space.
        return parse_moment(text.replace(" ", "+", 1) if text[10:11] in "Tt" else text)
    return first_moment(follows(first, interval) if is_end else first, zone)
