"""The forecasts of the shop's own figures, made once an hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from operations import series
from operations.forecasting import Forecast, forecast
from operations.series import HOUR, Query

METRICS: Final = ("requests_per_second", "sign_ins", "sign_outs")
HISTORY: Final = timedelta(days=60)
HORIZON_MAX: Final = 168

_made: dict[tuple[str, int], "Made"] = {}


@dataclass(frozen=True, slots=True)
class Made:
    """A forecast of the hours that begin with ``since``."""

    made_at: datetime
    since: datetime
    forecast: Forecast


def forecast_of(metric: str, horizon: int) -> Made:
    """Return the forecast of a metric in ``METRICS`` for the next hours, the present one first."""
    now = series.database_now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    made = _made.get((metric, horizon))
    if made is None or made.since != hour:
        past = series.series(metric, Query(hour - HISTORY, hour, HOUR))
        made = Made(now, hour, forecast([point.value for point in past], horizon=horizon))
        _made[metric, horizon] = made
    return made


def forget() -> None:
    """Forget what was made, for tests."""
    _made.clear()
