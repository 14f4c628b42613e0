"""Import of purchases from a CSV file of any column names; the command is only its command line."""

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from purchases.bulk import BulkResult, ahead, chunks
from purchases.cells import unguard
from purchases.lines import Row, csv_header, csv_rows
from purchases.services import Entry, Recorded, record_purchases
from purchases.validation import parse_purchase
from shop.database import unhurried
from shop.errors import ApplicationError, FieldError, ValidationFailed

FIELDS = ("userid", "username", "item", "quantity", "price", "currency", "timestamp")
# The client program that imported purchases are recorded by.
IMPORTER = "importer"

Progress = Callable[[BulkResult, float], None]
# The number of a line, its cells, and its purchase or what is wrong with it.
Line = tuple[int, list[str], Entry | ApplicationError]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to read the file: field names to column names, and how its times are written.

    ``date_format`` is for ``strptime``; ``None`` means ISO 8601. ``zone`` is given to times that
    have no offset.
    """

    columns: dict[str, str]
    date_format: str | None
    zone: ZoneInfo
    dry_run: bool = False


def rejected_path(path: Path) -> Path:
    """Return where the rejected lines of ``path`` are written."""
    return path.with_suffix(".rejected.csv")


def import_purchases(path: Path, options: ImportOptions, progress: Progress) -> BulkResult:
    """Record the file's purchases, a transaction for each chunk of lines.

    ``progress`` is called after each chunk with the result so far and the share of the file that
    has been read, 0 to 1. Rejected lines are written beside the file with their reasons. Raises
    ``ValidationFailed`` for a header without the columns, ``OSError`` for the file, and what the
    database raises; what was recorded until then stays, and a second run skips it.
    """
    result = BulkResult()
    size = max(1, path.stat().st_size)
    target = rejected_path(path)
    with ExitStack() as stack:
        source = stack.enter_context(path.open("rb"))
        rows = csv_rows(source)
        header = csv_header(rows)
        places = _places(header, options.columns)
        rejected = _Rejected(stack, target, header)
        caller = _importer()
        with unhurried(), _rolled_back() if options.dry_run else nullcontext():
            for chunk in ahead(chunks(_lines(rows, caller, places, options))):
                _record(chunk, result, rejected)
                progress(result, source.tell() / size)
    if not result.rejected and target.exists() and not options.dry_run:
        # What an earlier run rejected has been mended since.
        target.unlink()
    progress(result, 1.0)
    return result


def _lines(
    rows: Iterator[Row], caller: Caller, places: dict[str, int], options: ImportOptions
) -> Iterator[Line]:
    for number, row, error in rows:
        if error is not None:
            yield number, row, error
            continue
        try:
            purchase = parse_purchase(_purchase(row, places, options), now=timezone.now())
        except ValidationFailed as invalid:
            yield number, row, invalid
        else:
            yield number, row, Entry(caller, purchase)


@contextmanager
def _rolled_back() -> Iterator[None]:
    """A transaction that is never committed: a dry run really records, and takes it back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _places(header: list[str], columns: dict[str, str]) -> dict[str, int]:
    missing = [column for column in columns.values() if column not in header]
    if missing:
        detail = f"The file has no column {', '.join(missing)}."
        raise ValidationFailed([FieldError("invalid_header", detail)])
    return {name: header.index(column) for name, column in columns.items()}


def _purchase(
    row: list[str], places: dict[str, int], options: ImportOptions
) -> dict[str, str | datetime]:
    try:
        cells = {name: unguard(row[place].strip()) for name, place in places.items()}
    except IndexError:
        detail = f"Expected at least {max(places.values()) + 1} fields, found {len(row)}."
        raise ValidationFailed([FieldError("parse_error", detail)]) from None
    data: dict[str, str | datetime] = {name: cell for name, cell in cells.items() if cell}
    if "timestamp" in data:
        data["timestamp"] = _moment(cells["timestamp"], options.date_format, options.zone)
    return data


@lru_cache(maxsize=10_000)
def _moment(text: str, date_format: str | None, zone: ZoneInfo) -> datetime:
    try:
        if date_format is None:
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, date_format)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(ZoneInfo("UTC"))
    except (ValueError, OverflowError):
        wanted = date_format or "ISO 8601"
        detail = f"{text[:40]!r} is not a time in the format {wanted}."
        raise ValidationFailed([FieldError("invalid", detail, "timestamp")]) from None


class _Rejected:
    """The file of rejected lines, made when there is a first one."""

    def __init__(self, stack: ExitStack, path: Path, header: list[str]) -> None:
        self._stack, self._path, self._header = stack, path, header
        self._writer: Any = None

    def write(self, row: list[str], error: ApplicationError) -> None:
        if self._writer is None:
            file = self._stack.enter_context(
                self._path.open("w", newline="", encoding="utf-8", errors="surrogateescape")
            )
            self._writer = csv.writer(file)
            self._writer.writerow([*self._header, "reason"])
        reasons = (
            f"{item.attr}: {item.detail}" if item.attr else item.detail for item in error.errors
        )
        missing = [""] * (len(self._header) - len(row))
        self._writer.writerow([*row, *missing, "; ".join(reasons)])


def _importer() -> Caller:
    user, _ = User.objects.get_or_create(
        username=IMPORTER, defaults={"userid": IMPORTER, "is_client": True, "password": "!"}
    )
    return Caller.of(user)


def _record(chunk: list[Line], result: BulkResult, rejected: _Rejected) -> None:
    recorded = iter(record_purchases([entry for *_, entry in chunk if isinstance(entry, Entry)]))
    for number, row, entry in chunk:
        outcome = next(recorded) if isinstance(entry, Entry) else entry
        result.count(number, outcome)
        if not isinstance(outcome, Recorded):
            rejected.write(row, outcome)
