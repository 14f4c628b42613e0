import re
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from purchases.parquet import parquet_write


class Command(BaseCommand):
    help = "Writes the purchases of a month into a Parquet file (requirements-parquet.txt)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", required=True, metavar="2024-05")
        parser.add_argument("--output", metavar="FILE", help="default purchases-2024-05.parquet")
        parser.add_argument("--time-zone", default="UTC", help="where the month begins and ends")

    def handle(self, *args: Any, **options: Any) -> None:
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", options["month"])
        try:
            if match is None:
                raise ValueError
            month = date(int(match[1]), int(match[2]), 1)
            if month.year == date.max.year:
                raise ValueError
        except ValueError:
            raise CommandError("Give a month such as 2024-05.") from None
        try:
            ZoneInfo(options["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise CommandError(f"There is no time zone {options['time_zone']!r}.") from None
        path = Path(options["output"] or f"purchases-{options['month']}.parquet")
        try:
            count = parquet_write(path, month, options["time_zone"])
        except (ImproperlyConfigured, OSError, OverflowError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{count} purchases of {options['month']} are in {path}.")
