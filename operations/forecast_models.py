"""The models of a forecast: simple rules that each say the next hours from the past."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from statistics import fmean
from typing import Final

DAY: Final = 24
SEASONS: Final = 4
"""How many seasons back a profile looks."""
DAYS: Final = 28
LEVEL_MAX: Final = 3.0
FADING_HOURS: Final = 6
# Newer seasons count for more.
WEIGHTS: Final = (0.4, 0.3, 0.2, 0.1)


def filled(values: Sequence[float | None], season: int) -> list[float]:
    """Return the values with gaps filled from a season, a day, or the mean before them."""
    known: list[float] = []
    total, count = 0.0, 0
    for at, value in enumerate(values):
        if value is not None:
            total, count = total + value, count + 1
        elif at >= season:
            value = known[at - season]
        elif at >= DAY:
            value = known[at - DAY]
        else:
            value = total / count if count else 0.0
        known.append(value)
    return known


class Past:
    """What was known at one moment: the hours before it, without gaps."""

    def __init__(self, values: Sequence[float], season: int) -> None:
        self.values = values
        self.season = season
        # A series without days has its season instead.
        self.day = DAY if season % DAY == 0 else season

    def back(self, hour: int, step: int, times: int = 1) -> float | None:
        """Return the value whole steps before the ``hour`` ahead: the newest, or an older one."""
        at = len(self.values) + hour - step * (ceil((hour + 1) / step) + times - 1)
        return self.values[at] if at >= 0 else None

    def all_back(self, hour: int, step: int, times: int) -> list[float]:
        """Return those values, newest first."""
        found = (self.back(hour, step, number) for number in range(1, times + 1))
        return [value for value in found if value is not None]

    def level(self, seasons_ago: int = 0, hours: int | None = None) -> float | None:
        """Return the mean of the last day, or of the same day some seasons ago."""
        end = len(self.values) - seasons_ago * self.season
        start = end - (hours or self.day)
        return fmean(self.values[start:end]) if start >= 0 else None

    @cached_property
    def mean(self) -> float:
        """Return the mean of the last seasons."""
        return fmean(self.values[-SEASONS * self.season :])

    @cached_property
    def ratio(self) -> float:
        """Return the last day's level, as a multiple of that a season ago."""
        return _ratio(self.level(), self.level(1))

    @cached_property
    def newest_ratio(self) -> float:
        """Return the level of the last hours, as a multiple of that a season ago."""
        return _ratio(self.level(0, FADING_HOURS), self.level(1, FADING_HOURS))

    @cached_property
    def levels(self) -> list[float | None]:
        """Return the levels of the same day in the last seasons, newest first."""
        return [self.level(number) for number in range(1, SEASONS + 1)]

    @cached_property
    def shift(self) -> float:
        """Return how far the last day's level lies above that of the last seasons."""
        known = [level for level in self.levels if level is not None]
        return (self.level() or 0.0) - fmean(known) if known else 0.0


def _ratio(now: float | None, before: float | None) -> float:
    if not now or not before or now * before < 0:
        return 1.0
    return min(max(now / before, 1 / LEVEL_MAX), LEVEL_MAX)


@dataclass(frozen=True, slots=True)
class Model:
    """A rule that says the value of the ``hour`` ahead, where 0 is the next one."""

    name: str
    predict: Callable[[Past, int], float]
    is_naive: bool = False


def _season_before(past: Past, hour: int) -> float:
    value = past.back(hour, past.season)
    return past.mean if value is None else value


def _day_before(past: Past, hour: int) -> float:
    value = past.back(hour, past.day)
    return past.mean if value is None else value


def _season_ratio(past: Past, hour: int) -> float:
    return _season_before(past, hour) * past.ratio


def _season_fading(past: Past, hour: int) -> float:
    """Follow the last hours first, and the last day later."""
    later = min(hour / past.day, 1.0)
    ratio = past.ratio * later + past.newest_ratio * (1 - later)
    return _season_before(past, hour) * ratio


def _transitions(past: Past, hour: int) -> float:
    """Follow how the same day went, measured by the level of the day before it."""
    total = weights = 0.0
    for weight, number, level in zip(WEIGHTS, range(1, SEASONS + 1), past.levels, strict=True):
        value = past.back(hour, past.season, number)
        if value is not None and level is not None:
            total += weight * value * _ratio(past.level(), level)
            weights += weight
    return total / weights if weights else past.mean


def _profile(past: Past, hour: int) -> float:
    return fmean(past.all_back(hour, past.season, SEASONS) or [past.mean])


def _profile_shift(past: Past, hour: int) -> float:
    return _profile(past, hour) + past.shift


def _profile_half_shift(past: Past, hour: int) -> float:
    return _profile(past, hour) + past.shift / 2


def _day_profile(past: Past, hour: int) -> float:
    return fmean(past.all_back(hour, past.day, DAYS) or [past.mean])


def _combination(past: Past, hour: int) -> float:
    return fmean(model(past, hour) for model in (_season_ratio, _season_fading, _transitions))


def _mean(past: Past, hour: int) -> float:
    return past.mean


MODELS: Final = (
    # The first is the baseline.
    Model("naive_{season}h", _season_before, is_naive=True),
    Model("naive_day", _day_before, is_naive=True),
    Model("naive_mean", _mean, is_naive=True),
    Model("season_ratio", _season_ratio),
    Model("season_fading", _season_fading),
    Model("transitions", _transitions),
    Model("profile", _profile),
    Model("profile_shift", _profile_shift),
    Model("profile_half_shift", _profile_half_shift),
    Model("day_profile", _day_profile),
    Model("combination", _combination),
)
