"""Forecast any hourly series, and say how far to believe the forecast."""

import csv
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from operations.forecasting import HORIZON, ORIGINS, SEASON, Forecast, forecast
from operations.series_file import HOUR, Unreadable, read_series


class Command(BaseCommand):
    help = (
        "Forecasts an hourly series from a CSV file with the columns at,value. Prints the model, "
        "its mean absolute error on past days, that of the naive forecast, and the coverage of "
        "the intervals; then the next hours as CSV."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.csv")
        parser.add_argument(
            "--season", type=int, default=SEASON, help="hours of the longest pattern; default 168"
        )
        parser.add_argument("--horizon", type=int, default=HORIZON, help="hours; default 24")
        parser.add_argument(
            "--backtest", type=int, default=ORIGINS, help="days to forecast again; default 28"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with open(options["file"], encoding="utf-8-sig", newline="") as file:
                first, values = read_series(file)
            made = forecast(
                values,
                season=options["season"],
                horizon=options["horizon"],
                origins=options["backtest"],
            )
        except UnicodeDecodeError:
            raise CommandError("The file is not UTF-8.") from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        except (Unreadable, ValueError) as error:
            raise CommandError(str(error)) from None
        if made.status == "not_enough_history":
            raise CommandError(
                f"There is too little history: {made.days_missing} days are missing."
            )
        self._print_backtest(made)
        self._print_points(made, first + len(values) * HOUR)

    def _print_backtest(self, made: Forecast) -> None:
        backtest = made.backtest
        if backtest is None:
            return
        for name, value in (
            ("status", made.status),
            ("model", made.model),
            ("origins", backtest.origins),
            ("mae", f"{backtest.mae:.6g}"),
            ("baseline", backtest.baseline),
            ("baseline_mae", f"{backtest.baseline_mae:.6g}"),
            ("skill", f"{backtest.skill:.3f}"),
            ("coverage80", _share(backtest.coverage80)),
            ("coverage95", _share(backtest.coverage95)),
        ):
            self.stdout.write(f"{name:<13}{value}")

    def _print_points(self, made: Forecast, start: datetime) -> None:
        self.stdout.write("")
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(["at", "mean", "low80", "high80", "low95", "high95"])
        for number, point in enumerate(made.points):
            figures = (point.mean, point.low80, point.high80, point.low95, point.high95)
            at = start + number * HOUR
            writer.writerow(
                [at.isoformat().replace("+00:00", "Z"), *(f"{figure:.6g}" for figure in figures)]
            )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"
