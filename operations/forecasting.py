"""Forecasts of an hourly series, each beside a backtest and the naive forecast it must beat.

Several models forecast each of the last days as it was, from its own past only. The model with the
smallest mean absolute error is shown. The naive ones take part, so the shown forecast is never
worse than they are. Intervals are made of the errors that the model made before (split conformal
prediction), so they assume no distribution.

A series is a list of numbers, one an hour, oldest first, and ``None`` where nothing was observed.

Source: the M4 competition (Makridakis, 2018), in which averages of simple models were best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, stdev
from typing import Final, Literal

from operations.forecast_models import DAY, MODELS, Past, filled

Series = Sequence[float | None]
Status = Literal["ok", "not_enough_history", "no_better_than_naive"]

SEASON: Final = 168
SEASON_MAX: Final = 744
HORIZON: Final = 24
HORIZON_MAX: Final = 336
ORIGINS: Final = 28
"""How many of the last days are forecast again, at most."""
CALIBRATION: Final = 21
"""How many earlier forecasts give the errors of an interval, at most."""
ERRORS_MIN: Final = 40
"""How many errors an interval of 95 % needs. Where there are fewer, those of all hours count."""
OBSERVED_MIN: Final = 0.8
"""The part of the hours that must have been observed."""


@dataclass(frozen=True, slots=True)
class Point:
    """The forecast of one hour, with its intervals of 80 % and 95 %."""

    mean: float
    low80: float
    high80: float
    low95: float
    high95: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the model did on past days. ``skill`` is the part of the baseline's error it avoids."""

    origins: int
    mae: float
    baseline: str
    baseline_mae: float
    skill: float
    coverage80: float | None
    coverage95: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next hours, and how far to believe them. Without enough history there are none."""

    status: Status
    days_missing: int
    model: str
    points: list[Point]
    backtest: Backtest | None


class _Trials:
    """What every model would have forecast from earlier moments, each from its past only."""

    def __init__(self, values: Series, season: int, horizon: int) -> None:
        self.values, self.season, self.horizon = values, season, horizon
        self._predictions: dict[int, dict[str, list[float]]] = {}

    def predictions(self, origin: int) -> dict[str, list[float]]:
        """Return each model's forecast of the hours from ``origin`` on."""
        found = self._predictions.get(origin)
        if found is None:
            past = Past(filled(self.values[:origin], self.season), self.season)
            found = {
                model.name: [model.predict(past, hour) for hour in range(self.horizon)]
                for model in MODELS
            }
            self._predictions[origin] = found
        return found

    def errors(self, origin: int, model: str) -> list[float | None]:
        """Return the absolute errors of the forecast made at ``origin``, for each hour known."""
        actual = self.values[origin : origin + self.horizon]
        return [
            None if value is None else abs(value - predicted)
            for value, predicted in zip(actual, self.predictions(origin)[model], strict=False)
        ]

    def intervals(self, origin: int, model: str, earliest: int) -> list[tuple[float, float]] | None:
        """Return the half widths of both intervals for each hour, known at ``origin``."""
        starts = [
            start
            for step in range(CALIBRATION)
            if (start := origin - self.horizon - step * DAY) >= earliest
        ]
        by_hour: list[list[float]] = [[] for _ in range(self.horizon)]
        for start in starts:
            for hour, error in enumerate(self.errors(start, model)):
                if error is not None:
                    by_hour[hour].append(error)
        everything = sorted(error for errors in by_hour for error in errors)
        if not everything:
            return None
        found = []
        for hour in range(self.horizon):
            # The hours before and after are like this one, and make the interval steadier.
            near = sorted(e for errors in by_hour[max(0, hour - 1) : hour + 2] for e in errors)
            errors = near if len(near) >= ERRORS_MIN else everything
            found.append(
                (_quantile(errors, 0.80, len(starts)), _quantile(errors, 0.95, len(starts)))
            )
        return found


def forecast(
    values: Series, *, season: int = SEASON, horizon: int = HORIZON, origins: int = ORIGINS
) -> Forecast:
    """Return the forecast of the next ``horizon`` hours after the values.

    ``season`` is the longest pattern in hours, a week by default. ``origins`` is how many of the
    last days are forecast again. Raise ``ValueError`` where one of the three has no sense.
    """
    if not 2 <= season <= SEASON_MAX or not 1 <= horizon <= HORIZON_MAX or not 1 <= origins <= 366:
        raise ValueError("The season, the horizon or the backtest is out of range.")
    values = _without_leading_gap(values)
    # Two seasons show a pattern, and one more day can be forecast as a test.
    needed = 2 * season + max(horizon, DAY)
    observed = sum(value is not None for value in values)
    missing = max(needed - len(values), ceil(OBSERVED_MIN * needed) - observed)
    if missing > 0:
        return Forecast("not_enough_history", ceil(missing / DAY), "", [], None)
    trials = _Trials(values, season, horizon)
    earliest = 2 * season
    starts = _origins(len(values), horizon, origins, earliest)
    daily = {
        model.name: [
            fmean(known)
            for start in starts
            if (known := [e for e in trials.errors(start, model.name) if e is not None])
        ]
        for model in MODELS
    }
    if not next(iter(daily.values())):
        return Forecast("not_enough_history", 1, "", [], None)
    best = min(MODELS, key=lambda model: fmean(daily[model.name]))
    naive = min(
        (model for model in MODELS if model.is_naive), key=lambda model: fmean(daily[model.name])
    )
    ok = not best.is_naive and _is_better(daily[best.name], daily[naive.name])
    return Forecast(
        "ok" if ok else "no_better_than_naive",
        0,
        best.name.format(season=season),
        _points(trials, best.name, earliest),
        _backtest(trials, best.name, daily, starts, earliest),
    )


def _without_leading_gap(values: Series) -> Series:
    first = next((at for at, value in enumerate(values) if value is not None), len(values))
    return values[first:]


def _origins(length: int, horizon: int, wanted: int, earliest: int) -> list[int]:
    """Return the moments of the backtest, a day apart, the newest first."""
    last = length - horizon
    return [start for number in range(wanted) if (start := last - number * DAY) >= earliest] or [
        last
    ]


def _is_better(errors: Sequence[float], naive: Sequence[float]) -> bool:
    """Return whether the errors are smaller by more than chance would explain."""
    gains = [theirs - ours for ours, theirs in zip(errors, naive, strict=True)]
    if len(gains) < 2:
        return fmean(gains) > 0
    return fmean(gains) > stdev(gains) / len(gains) ** 0.5


def _quantile(errors: Sequence[float], level: float, days: int) -> float:
    """Return the error that a part ``level`` of future ones stays within, of sorted ones.

    Errors of one day resemble each other, so the correction for few errors counts days.
    """
    part = min(1.0, (days + 1) / days * level)
    return errors[ceil(len(errors) * part) - 1]


def _points(trials: _Trials, model: str, earliest: int) -> list[Point]:
    end = len(trials.values)
    means = trials.predictions(end)[model]
    widths = trials.intervals(end, model, earliest) or [(0.0, 0.0)] * len(means)
    floor = _floor(trials.values)
    points = []
    for mean, (width80, width95) in zip(means, widths, strict=True):
        mean = max(mean, floor)
        points.append(
            Point(
                mean,
                max(mean - width80, floor),
                mean + width80,
                max(mean - width95, floor),
                mean + width95,
            )
        )
    return points


def _floor(values: Series) -> float:
    """Return 0 for a series that was never negative."""
    return 0.0 if all(value is None or value >= 0 for value in values) else float("-inf")


def _backtest(
    trials: _Trials,
    model: str,
    daily: dict[str, list[float]],
    starts: Sequence[int],
    earliest: int,
) -> Backtest:
    within80, within95, counted = 0, 0, 0
    for start in starts:
        widths = trials.intervals(start, model, earliest)
        if widths is None:
            continue
        for error, (width80, width95) in zip(trials.errors(start, model), widths, strict=False):
            if error is not None:
                counted += 1
                within80 += error <= width80
                within95 += error <= width95
    mae, baseline = fmean(daily[model]), fmean(daily[MODELS[0].name])
    return Backtest(
        len(starts),
        mae,
        MODELS[0].name.format(season=trials.season),
        baseline,
        1 - mae / baseline if baseline else 0.0,
        within80 / counted if counted else None,
        within95 / counted if counted else None,
    )
