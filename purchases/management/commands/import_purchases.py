import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from purchases.bulk import BulkResult
from purchases.importing import FIELDS, ImportOptions, import_purchases, rejected_path
from shop.errors import ApplicationError


class Command(BaseCommand):
    help = (
        "Imports purchases from a CSV file. Can be run again: what is in the ledger counts as a "
        "duplicate. Rejected lines go to FILE.rejected.csv with their reasons."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--columns",
            required=True,
            help="FIELD=COLUMN pairs, as in userid=ID,timestamp=Date,price=Amount; "
            f"the fields are {', '.join(FIELDS)}",
        )
        parser.add_argument("--date-format", help="as for strptime, %%Y%%m%%d; default ISO 8601")
        parser.add_argument(
            "--time-zone", default="UTC", help="of times without an offset; default UTC"
        )
        parser.add_argument("--dry-run", action="store_true", help="record nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            zone = ZoneInfo(options["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise CommandError(f"There is no time zone {options['time_zone']!r}.") from None
        path: Path = options["file"]
        started = time.monotonic()
        tenths = 0

        def progress(result: BulkResult, share: float) -> None:
            nonlocal tenths
            lines = result.recorded + result.duplicates + result.rejected
            text = f"{share:4.0%}  {lines} lines  {lines / (time.monotonic() - started):.0f}/s"
            # A terminal shows one line that moves; a log file gets a line for each tenth.
            if sys.stderr.isatty():
                self.stderr.write(f"\r{text}  ", ending="\n" if share >= 1 else "")
            elif share >= 1 or int(share * 10) > tenths:
                tenths = int(share * 10)
                self.stderr.write(text)

        import_options = ImportOptions(
            columns=self._columns(options["columns"]),
            date_format=options["date_format"],
            zone=zone,
            dry_run=options["dry_run"],
        )
        try:
            result = import_purchases(path, import_options, progress)
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror}") from None
        except ApplicationError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database: {str(error).strip()}. What was recorded until then stays; run the"
                " import again to go on."
            ) from error
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{result.recorded} {would}recorded, {result.duplicates} duplicates, "
            f"{result.rejected} rejected"
        )
        if result.rejected:
            self.stdout.write(f"Rejected lines: {rejected_path(path)}")

    def _columns(self, text: str) -> dict[str, str]:
        columns: dict[str, str] = {}
        for pair in text.split(","):
            name, _, column = (part.strip() for part in pair.partition("="))
            if name not in FIELDS or not column:
                raise CommandError(
                    f"--columns: {pair!r} is not FIELD=COLUMN with one of {', '.join(FIELDS)}."
                )
            columns[name] = column
        if "price" not in columns or not {"userid", "username"} & columns.keys():
            raise CommandError("--columns must name a column for price and one for the customer.")
        return columns
