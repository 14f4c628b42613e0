"""Times as the outside sees them."""

from datetime import UTC, date, datetime

import msgspec
from django.utils.timezone import localtime


def iso(moment: datetime) -> str:
    """Return a UTC time with microseconds, as ``2024-05-31T15:54:32.204000Z``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # A quarter of the time that ``isoformat`` takes; it leaves out microseconds that are zero.
    text: str = msgspec.to_builtins(moment)
    return text if moment.microsecond else text[:-1] + ".000000Z"


def short(moment: datetime) -> str:
    """Return a time of the reader's time zone, as ``26 Nov, 14:05``."""
    return f"{localtime(moment):%-d %b, %H:%M}"


def full(moment: datetime) -> str:
    """Return a time of the reader's time zone to the second, with the zone."""
    return f"{localtime(moment):%-d %B %Y, %H:%M:%S %Z}"


def day(value: date) -> str:
    """Return a date, as ``26 Nov 2026``."""
    return f"{value:%-d %b %Y}"
