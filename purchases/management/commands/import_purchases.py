"""The command line of :mod:`purchases.importing`."""

import re
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from preferences import snapshot
from purchases.bulk import BulkResult
from purchases.identity import key_columns
from purchases.importing import ImportOptions, ImportResult, import_purchases
from purchases.moments import UnknownFormat
from purchases.tables import DELIMITERS, Dialect, text_encoding
from purchases.validation import FIELDS
from shop.core.errors import ApplicationError

THOUSANDS = (".", ",", " ", "'")
# A pair, quoted as a whole or in part; a comma inside quotes is part of a name.
_PAIR = re.compile(r'\s*((?:[^",]|"(?:[^"]|"")*")*)\s*(?:,|\Z)')


class Command(BaseCommand):
    help = (
        "Imports purchases from a CSV file. Can be run again: what is in the ledger counts as a "
        "duplicate. Rejected lines go to FILE.EXT.rejected.csv with their reasons."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--columns",
            required=True,
            help="FIELD=COLUMN pairs, as in userid=ID,timestamp=Date,price=Amount; a name with a "
            f"comma is quoted; the fields are {', '.join(FIELDS)}",
        )
        parser.add_argument("--date-format", help="as for strptime, %%Y%%m%%d; default ISO 8601")
        parser.add_argument(
            "--time-zone", default="UTC", help="of times without an offset; default UTC"
        )
        parser.add_argument(
            "--key",
            default="",
            metavar="COLUMN[,COLUMN]",
            help="columns whose values identify a row, such as the number of an order",
        )
        parser.add_argument(
            "--count-equal",
            action="store_true",
            help="record equal lines of one file as different purchases; without it, and without "
            "--key, they are one purchase, and every row needs a time",
        )
        parser.add_argument(
            "--delimiter", type=_delimiter, help="; or tab or , or |; default what sep= says, or ,"
        )
        parser.add_argument("--encoding", type=_encoding, default="utf-8", help="such as cp1252")
        parser.add_argument(
            "--decimal",
            choices=[".", ","],
            default=".",
            metavar="SIGN",
            help="before decimals: . or ,; default .",
        )
        parser.add_argument(
            "--thousands",
            choices=THOUSANDS,
            default="",
            metavar="SIGN",
            help="between groups of three digits: . or , or a space or an apostrophe",
        )
        parser.add_argument(
            "--skip-lines", type=_count, default=0, help="lines before the header; default 0"
        )
        parser.add_argument("--dry-run", action="store_true", help="record nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        snapshot.load()
        progress = _Progress(self.stderr)
        try:
            result = import_purchases(path, self._options(options), progress)
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror}") from None
        except UnknownFormat as error:
            raise CommandError(f"--date-format {options['date_format']}: {error}") from None
        except UnicodeError as error:
            raise CommandError(f"--encoding {options['encoding']}: {error}") from None
        except ApplicationError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database: {str(error).strip()}. What was recorded until then stays; run the"
                " import again to go on."
            ) from error
        self._tell(result, options)

    def _options(self, options: dict[str, Any]) -> ImportOptions:
        try:
            zone = ZoneInfo(options["time_zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise CommandError(f"There is no time zone {options['time_zone']!r}.") from None
        if options["decimal"] == options["thousands"]:
            raise CommandError("--decimal and --thousands cannot be the same.")
        if options["key"] and options["count_equal"]:
            raise CommandError("Give --key or --count-equal, not both.")
        try:
            key = key_columns(options["key"]) if options["key"] else ()
        except ApplicationError as error:
            raise CommandError(f"--key: {error}") from None
        columns = _columns(options["columns"])
        if "timestamp" not in columns and not key and not options["count_equal"]:
            raise CommandError(
                "Without a column for timestamp nothing tells a second run from new purchases: "
                "name one, or give --key or --count-equal."
            )
        return ImportOptions(
            columns=columns,
            date_format=options["date_format"],
            zone=zone,
            dialect=Dialect(
                encoding=options["encoding"],
                delimiter=options["delimiter"],
                skip_lines=options["skip_lines"],
            ),
            decimal=options["decimal"],
            thousands=options["thousands"],
            key=key,
            count_equal=options["count_equal"],
            dry_run=options["dry_run"],
        )

    def _tell(self, result: ImportResult, options: dict[str, Any]) -> None:
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{result.recorded} {would}recorded, {result.duplicates} duplicates, "
            f"{result.rejected} rejected"
        )
        if result.equal:
            what = "line of the file equals" if result.equal == 1 else "lines of the file equal"
            became = (
                "which are different purchases"
                if options["count_equal"]
                else "which is one purchase; --count-equal makes them different ones"
            )
            self.stdout.write(f"{result.equal} {what} an earlier one, {became}.")
        if result.rejected_path is not None:
            self.stdout.write(f"Rejected lines: {result.rejected_path}")


class _Progress:
    """Shows progress: one updated line in a terminal, or a new line for each tenth in a log."""

    def __init__(self, output: Any) -> None:
        self._output = output
        self._started = time.monotonic()
        self._tenths = 0

    def __call__(self, result: BulkResult, share: float) -> None:
        # The last chunk may already be the end of the file.
        if self._tenths == 10:
            return
        lines = result.recorded + result.duplicates + result.rejected
        seconds = max(time.monotonic() - self._started, 0.001)
        text = f"{share:4.0%}  {lines} lines  {lines / seconds:.0f}/s"
        tenths = int(share * 10)
        if sys.stderr.isatty():
            self._output.write(f"\r{text}  ", ending="\n" if tenths == 10 else "")
        elif tenths > self._tenths:
            self._output.write(text)
        self._tenths = tenths


def _delimiter(text: str) -> str:
    if text not in DELIMITERS:
        raise ArgumentTypeError("give ; or tab or , or |")
    return DELIMITERS[text]


def _encoding(name: str) -> str:
    encoding = text_encoding(name)
    if encoding is None:
        raise ArgumentTypeError(f"there is no encoding {name!r}")
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 10_000):
        raise ArgumentTypeError("give a whole number from 0 to 10000")
    return int(text)


def _columns(text: str) -> dict[str, str]:
    columns: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _PAIR.match(text, place)
        if match is None:
            raise CommandError("--columns: a quote is not closed.")
        place = match.end()
        name, _, column = (_unquoted(part) for part in _unquoted(match[1]).partition("="))
        if name not in FIELDS or not column:
            raise CommandError(
                f"--columns: {match[1]!r} is not FIELD=COLUMN with one of {', '.join(FIELDS)}."
            )
        if name in columns:
            raise CommandError(f"--columns names {name} twice.")
        columns[name] = column
    if "price" not in columns or not {"userid", "username"} & columns.keys():
        raise CommandError("--columns must name a column for price and one for the customer.")
    return columns


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"').strip()
    return text
