"""An hourly series as a file: CSV with the columns ``at`` and ``value``."""

import csv
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

HOURS_MAX = 200_000
TEXT_MAX = 200
HOUR = timedelta(hours=1)


class Unreadable(ValueError):
    """The file is no hourly series; the message says in which line, and why."""


def read_series(lines: Iterable[str]) -> tuple[datetime, list[float | None]]:
    """Return the first hour and the values, with ``None`` for hours that the file leaves out.

    A value may be empty, which leaves its hour out, too. A time without a zone is UTC. Raise
    ``Unreadable`` for anything else, and for more than 200 000 hours.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if header != ["at", "value"]:
            raise Unreadable("The first line must be: at,value")
        found: dict[datetime, float | None] = {}
        for row in reader:
            if not row:
                continue
            at, value = _parsed(row, reader.line_num)
            if at in found:
                raise Unreadable(f"Line {reader.line_num}: {row[0][:TEXT_MAX]} is there twice.")
            found[at] = value
            if len(found) > HOURS_MAX:
                raise Unreadable(f"The file has more than {HOURS_MAX} hours.")
    except csv.Error as error:
        raise Unreadable(f"Line {reader.line_num}: {error}.") from None
    if not found:
        raise Unreadable("The file has no hours.")
    first, last = min(found), max(found)
    count = int((last - first) / HOUR) + 1
    if count > HOURS_MAX:
        raise Unreadable(f"From the first hour to the last there are more than {HOURS_MAX}.")
    return first, [found.get(first + number * HOUR) for number in range(count)]


def _parsed(row: list[str], line: int) -> tuple[datetime, float | None]:
    if len(row) != 2:
        raise Unreadable(f"Line {line} must have a time and a value.")
    try:
        at = datetime.fromisoformat(row[0].strip())
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(
            f"Line {line}: {row[0][:TEXT_MAX]!r} is no time like 2024-05-31T15:00Z."
        ) from None
    if at.minute or at.second or at.microsecond:
        raise Unreadable(f"Line {line}: {row[0][:TEXT_MAX]} is not the start of an hour in UTC.")
    text = row[1].strip()
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not abs(value) < 1e15:
        raise Unreadable(f"Line {line}: {text[:TEXT_MAX]!r} is no number below 10^15.")
    return at, value
