"""Forecasts: they keep what they promise, and say where they can promise nothing."""

import math
import random
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from operations.forecasting import Forecast, _Trials, forecast
from operations.series_file import read_series

DEMAND = Path(settings.BASE_DIR) / "examples" / "demand-hourly.csv"


@pytest.fixture(scope="module")
def demand() -> list[float | None]:
    with DEMAND.open() as file:
        return read_series(file)[1]


def expect_order(made: Forecast) -> None:
    for point in made.points:
        assert point.low95 <= point.low80 <= point.mean <= point.high80 <= point.high95


def test_the_shown_forecast_beats_the_naive_one(demand: list[float | None]) -> None:
    made = forecast(demand)
    assert made.backtest is not None
    assert made.status == "ok"
    assert made.backtest.origins == 28
    assert made.backtest.baseline == "naive_168h"
    assert made.backtest.baseline_mae == pytest.approx(1261, abs=1)
    assert made.backtest.mae <= 700
    assert made.backtest.skill == pytest.approx(1 - made.backtest.mae / 1261.28, abs=0.001)
    assert made.backtest.coverage80 is not None
    assert 0.72 <= made.backtest.coverage80 <= 0.88
    assert made.backtest.coverage95 is not None
    assert 0.91 <= made.backtest.coverage95 <= 0.99
    assert len(made.points) == 24
    expect_order(made)


def test_no_future_value_enters_a_forecast(demand: list[float | None]) -> None:
    """The last day's values change its errors, and nothing that was forecast before."""
    made = forecast(demand[:-24])
    poisoned = [*demand[:-24], *[1e9] * 24]
    trials, clean = _Trials(poisoned, 168, 24), _Trials(demand, 168, 24)
    origin = len(demand) - 24
    assert trials.predictions(origin) == clean.predictions(origin)
    assert trials.intervals(origin, "combination", 336) == clean.intervals(
        origin, "combination", 336
    )
    assert [point.mean for point in made.points] == clean.predictions(origin)[made.model]


def test_coverage_of_series_that_are_not_electricity() -> None:
    rng = random.Random(16)

    def daily(hour: int) -> float:
        return 100 + 50 * math.sin(hour / 24 * 2 * math.pi) + 30 * ((hour // 24) % 7 < 5)

    hours = range(84 * 24)
    series: dict[str, list[float | None]] = {
        "noisy shop": [daily(hour) + rng.gauss(0, 15) for hour in hours],
        "growing": [(1 + hour / 1500) * daily(hour) * rng.uniform(0.9, 1.1) for hour in hours],
        "gaps": [None if rng.random() < 0.1 else daily(hour) + rng.gauss(0, 9) for hour in hours],
        "counts": [float(sum(rng.random() < 0.2 for _ in range(int(daily(h))))) for h in hours],
    }
    for name, values in series.items():
        made = forecast(values)
        assert made.status == "ok", name
        assert made.backtest is not None, name
        assert made.backtest.skill > 0, name
        assert made.backtest.coverage80 is not None
        assert made.backtest.coverage95 is not None
        assert 0.72 <= made.backtest.coverage80 <= 0.88, (name, made.backtest)
        assert 0.91 <= made.backtest.coverage95 <= 0.99, (name, made.backtest)


def test_what_has_no_pattern_is_said_to_have_none() -> None:
    rng = random.Random(3)
    noise = [rng.gauss(100, 10) for _ in range(84 * 24)]
    assert forecast(noise).status == "no_better_than_naive"
    assert forecast([5.0] * 2000).status == "no_better_than_naive"


def test_too_little_history_is_said(demand: list[float | None]) -> None:
    assert forecast([]).status == "not_enough_history"
    assert forecast([]).days_missing == 15
    short = forecast(demand[: 14 * 24])
    assert (short.status, short.days_missing, short.points) == ("not_enough_history", 1, [])
    assert forecast(demand[: 15 * 24]).status != "not_enough_history"
    # An hour that nobody observed is no history.
    assert forecast([None] * 2000).status == "not_enough_history"
    assert forecast([*demand[:1000], *[None] * 400]).status in ("ok", "no_better_than_naive")


@hypothesis_settings(max_examples=25)
@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=360, max_size=420),
    st.sampled_from([1, 5, 24, 48]),
)
def test_a_series_of_counts_has_no_negative_forecast(
    values: list[float | None], horizon: int
) -> None:
    made = forecast(values, horizon=horizon)
    expect_order(made)
    assert all(point.low95 >= 0 for point in made.points)
    if made.backtest is not None:
        assert made.backtest.mae <= made.backtest.baseline_mae


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("forecast", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_says_how_far_to_believe_it() -> None:
    output = run(str(DEMAND), "--season", "168", "--horizon", "24", "--backtest", "28")
    figures = dict(line.split(maxsplit=1) for line in output.splitlines()[:9])
    assert figures["baseline"] == "naive_168h"
    assert float(figures["mae"]) <= 700 < float(figures["baseline_mae"])
    assert output.splitlines()[11].startswith("2000-08-28T00:00:00Z,")
    assert len(output.splitlines()) == 11 + 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The first line must be"),
        ("time,value\n", "The first line must be"),
        ("at,value\n", "has no hours"),
        ("at,value\n2024-01-01T00:00Z\n", "Line 2 must have"),
        ("at,value\nyesterday,1\n", "Line 2: 'yesterday' is no time"),
        ("at,value\n2024-01-01T00:30Z,1\n", "not the start of an hour"),
        ("at,value\n2024-01-01T00:00Z,nan\n", "no number"),
        ("at,value\n2024-01-01T00:00Z,1e400\n", "no number"),
        ("at,value\n2024-01-01T00:00Z,1\n2024-01-01T00:00Z,1\n", "twice"),
        ("at,value\n0001-01-01T00:00Z,1\n2024-01-01T00:00Z,1\n", "more than 200000"),
        ("at,value\n2024-01-01T00:00Z,1\n", "15 days are missing"),
        ('at,value\n"2024', "Line 2"),
    ],
)
def test_a_file_that_is_no_series(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "series.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=message):
        run(str(file))


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    for option, value in (("--season", "0"), ("--horizon", "100000"), ("--backtest", "0")):
        with pytest.raises(CommandError, match="out of range"):
            run(str(DEMAND), option, value)
    with pytest.raises(CommandError, match="No such file"):
        run(str(tmp_path / "none.csv"))
    (tmp_path / "latin.csv").write_bytes(b"at,value\n\xff\n")
    with pytest.raises(CommandError, match="not UTF-8"):
        run(str(tmp_path / "latin.csv"))
