"""A strict parser for the times in files, which never guesses a missing part."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

EARLIEST_YEAR = 1900

# The text that each directive of ``strptime`` matches. A number that touches another needs all of
# its digits, because 2017011 could be the 1st of November or the 11th of January.
_WORDS = {
    "a": "[^\\W\\d_]+\\.?",
    "A": "[^\\W\\d_]+",
    "b": "[^\\W\\d_]+\\.?",
    "B": "[^\\W\\d_]+",
    "p": "[AaPp][Mm]",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    # strptime would accept the name of any zone and then drop it.
    "Z": "(?:UTC|GMT|utc|gmt)",
    "%": "%",
}
_NUMBERS = {"d": 2, "m": 2, "y": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3, "Y": 4, "f": 6}
_PART = re.compile(r"%(.)|([^%]+)", re.DOTALL)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?)?",
    re.ASCII,
)


class UnknownFormat(ValueError):
    """The format has no complete date, or an unknown directive."""


@dataclass(frozen=True)
class Moments:
    """The format of the times in a file.

    ``date_format`` is for ``strptime``; ``None`` stands for ISO 8601. ``zone`` is the zone of times
    without an offset. With ``first_of_two``, a time that the clocks showed twice means the first of
    the two. Raise ``UnknownFormat``.
    """

    date_format: str | None
    zone: ZoneInfo
    first_of_two: bool = False
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = _ISO if self.date_format is None else _compiled(self.date_format)
        object.__setattr__(self, "_pattern", pattern)

    def read(self, text: str) -> datetime:
        """Return the time in UTC; raise ``ValueError`` with a sentence for the client."""
        return _read(self, text)

    def _read(self, text: str) -> datetime:
        match = self._pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:40]!r} is not a time in the format {self._wanted()}.")
        try:
            moment, has_time = self._parsed(text, match)
        except ValueError:
            raise ValueError(f"There is no such time as {text[:40]!r}.") from None
        if moment.tzinfo is None:
            moment = self._in_zone(moment, text, has_time)
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"There is no such time as {text[:40]!r}.") from None
        if moment.year < EARLIEST_YEAR:
            raise ValueError(f"{text[:40]!r} is before the year {EARLIEST_YEAR}.")
        return moment

    def _wanted(self) -> str:
        """Return the format, with an example."""
        example = datetime(2024, 5, 31, 15, 54, 32, tzinfo=UTC)
        if self.date_format is None:
            return f"ISO 8601, such as {example:%Y-%m-%dT%H:%M:%S}"
        return f"{self.date_format}, such as {example.strftime(self.date_format)}"

    def _parsed(self, text: str, match: re.Match[str]) -> tuple[datetime, bool]:
        if self.date_format is None:
            plain = text.upper().replace(",", ".")
            if match["offset"]:
                plain = plain.replace(f" {match['offset'].upper()}", match["offset"].upper())
            return datetime.fromisoformat(plain), match["time"] is not None
        moment = datetime.strptime(text, self.date_format)
        if "%Z" in self.date_format.replace("%%", ""):
            moment = moment.replace(tzinfo=UTC)
        return moment, re.search("%[HI]", self.date_format.replace("%%", "")) is not None

    def _in_zone(self, moment: datetime, text: str, has_time: bool) -> datetime:
        """Return the time in the file's zone; a date stands for the day's first moment there."""
        first, second = (moment.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))
        if has_time and first.utcoffset() != second.utcoffset():
            if first.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != moment:
                raise ValueError(f"The clocks of {self.zone.key} skipped {text[:40]!r}.")
            if not self.first_of_two:
                raise ValueError(
                    f"The clocks of {self.zone.key} showed {text[:40]!r} twice. Give times an "
                    "offset, or give --key or --count-equal, which take the first of the two."
                )
        return first


@lru_cache(maxsize=10_000)
def _read(moments: Moments, text: str) -> datetime:
    return moments._read(text)


def _compiled(date_format: str) -> re.Pattern[str]:
    """Return the pattern of a time in this format; raise ``UnknownFormat``."""
    parts = _PART.findall(date_format)
    directives = [directive for directive, _ in parts if directive]
    if "".join(f"%{directive}" if directive else text for directive, text in parts) != date_format:
        raise UnknownFormat("It ends with a single %.")
    pattern = ""
    for place, (directive, text) in enumerate(parts):
        if text:
            pattern += re.escape(text)
        elif directive in _WORDS:
            pattern += _WORDS[directive]
        elif directive in _NUMBERS:
            size = _NUMBERS[directive]
            neighbours = [
                parts[other] for other in (place - 1, place + 1) if 0 <= other < len(parts)
            ]
            touches = any(
                other in _NUMBERS or literal[-1:].isdigit() or literal[:1].isdigit()
                for other, literal in neighbours
            )
            exact = directive in "Yy" or (touches and directive != "f")
            pattern += f"[0-9]{{{size}}}" if exact else f"[0-9]{{1,{size}}}"
        else:
            raise UnknownFormat(f"%{directive} is not understood here.")
    if len(set(directives) - {"%"}) != len([one for one in directives if one != "%"]):
        raise UnknownFormat("It names a part twice.")
    day = {"d"} <= set(directives) and {"m", "b", "B"} & set(directives)
    if not {"Y", "y"} & set(directives) or not (day or "j" in directives):
        raise UnknownFormat("A day needs its year, month and day, such as %Y-%m-%d.")
    if "I" in directives and "p" not in directives:
        raise UnknownFormat("%I needs %p.")
    return re.compile(pattern, re.IGNORECASE)
