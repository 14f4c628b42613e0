"""Import of purchases from a table with any column names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from accounts.access import Caller
from accounts.permissions import ALL
from accounts.services import system_account
from purchases.bulk import BulkResult, chunks, prefetched
from purchases.entries import Entry, Found, Recorded
from purchases.identity import Identity
from purchases.moments import Moments
from purchases.rejected import Rejected
from purchases.services import Customers, Rehearsal, record_purchases
from purchases.tables import Dialect, Table, missing_columns, open_table
from purchases.validation import parse_purchase
from shop.core.cells import unguard
from shop.core.database import no_statement_timeout
from shop.core.errors import ApplicationError, FieldError, ValidationFailed
from shop.core.money import plain_number

# The client program that records imported purchases.

Progress = Callable[[BulkResult, float], None]
# The number of a line, its cells, and its purchase or its error.
Line = tuple[int, list[str], Entry | ApplicationError]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to read the file: column names by field name, and the format of the cells.

    ``date_format`` is for ``strptime``; ``None`` means ISO 8601. ``zone`` is the zone of times
    without an offset. ``decimal`` stands before decimals, ``thousands`` between groups of digits.
    ``key`` and ``count_equal`` are those of :class:`~purchases.identity.Identity`; without either,
    every row needs a time. Raise ``UnknownFormat`` where the file is read.
    """

    columns: dict[str, str]
    date_format: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    dialect: Dialect = field(default_factory=Dialect)
    decimal: str = "."
    thousands: str = ""
    key: tuple[str, ...] = ()
    count_equal: bool = False
    dry_run: bool = False

    @property
    def has_identity(self) -> bool:
        """Return whether a row needs no time to be identified."""
        return bool(self.key) or self.count_equal


@dataclass(slots=True)
class ImportResult(BulkResult):
    """Counts of a file's lines by outcome.

    ``equal`` counts lines that equal an earlier line of the file; ``rejected_path`` is the file of
    rejected lines, if there are any.
    """

    equal: int = 0
    rejected_path: Path | None = None


def import_purchases(path: Path, options: ImportOptions, progress: Progress) -> ImportResult:
    """Record the file's purchases, a transaction for each chunk of lines.

    ``progress`` is called after each chunk with the result so far and the share of the file that
    has been read, 0 to 1. Rejected lines are written beside the file with their reasons. Raise
    ``ValidationFailed`` for a file without the columns, ``OSError`` for the file, and the
    database's errors. Lines recorded before the error stay, and a second run skips them.
    """
    result = ImportResult()
    size = max(1, path.stat().st_size)
    identity = Identity(key=options.key, count_equal=options.count_equal)
    with ExitStack() as stack:
        source = stack.enter_context(path.open("rb"))
        table = open_table(source, options.dialect)
        reader = _Reader(table, options, identity)
        rejected = Rejected(stack, path, table, options.dialect.encoding)
        caller = Caller.of(system_account("importer"))
        if options.dry_run:
            # An operator runs the import, and may read the whole ledger.
            caller = replace(caller, permissions=int(ALL))
        with no_statement_timeout(), _rolled_back() if options.dry_run else nullcontext():
            record = _Recorder(options.dry_run)
            for chunk in prefetched(chunks(reader.lines(caller))):
                record(chunk, result, rejected)
                progress(result, source.tell() / size)
    result.equal = identity.equal
    if result.rejected:
        result.rejected_path = rejected.path
    elif not options.dry_run:
        rejected.remove()
    progress(result, 1.0)
    return result


class _Reader:
    """Makes purchases of the rows of a table."""

    def __init__(self, table: Table, options: ImportOptions, identity: Identity) -> None:
        if error := missing_columns(table, [*options.columns.values(), *options.key]):
            raise error
        self._table = table
        self._options = options
        self._identity = identity
        self._places = {
            name: table.header.index(column) for name, column in options.columns.items()
        }
        self._key = [(name, table.header.index(name)) for name in options.key]
        self._width = 1 + max([*self._places.values(), *(place for _, place in self._key)])
        self._plain = options.decimal == "." and not options.thousands
        self._moments = Moments(options.date_format, options.zone, options.has_identity)

    def lines(self, caller: Caller) -> Iterator[Line]:
        """Yield the lines of the table."""
        for number, row, error in self._table.rows:
            if error is not None:
                yield number, row, error
                continue
            try:
                yield number, row, self._entry(row, caller)
            except ValidationFailed as invalid:
                yield number, row, invalid

    def _entry(self, row: list[str], caller: Caller) -> Entry:
        if len(row) < self._width or any(cell.strip() for cell in row[len(self._table.header) :]):
            detail = f"Expected {len(self._table.header)} fields, found {len(row)}."
            raise ValidationFailed([FieldError("parse_error", detail)])
        try:
            purchase = parse_purchase(self._data(row), now=timezone.now())
        except ValidationFailed as error:
            raise ValidationFailed([self._explained(each, row) for each in error.errors]) from None
        if purchase.timestamp is None and not self._options.has_identity:
            detail = "A row without a time needs --key or --count-equal."
            raise ValidationFailed([FieldError("required", detail, "timestamp")])
        key = {name: unguard(row[place].strip()) for name, place in self._key}
        return self._identity.entry(caller, purchase, key)

    def _explained(self, error: FieldError, row: list[str]) -> FieldError:
        """Return the error of a number with an example of how numbers of the file are written."""
        if error.attr not in ("price", "quantity") or error.code != "invalid":
            return error
        cell = row[self._places[error.attr]].strip()
        try:
            plain_number(cell, self._options.decimal, self._options.thousands)
        except ValueError as unread:
            options = "--decimal and --thousands say how numbers are written."
            return replace(error, detail=f"{unread} {options}")
        return error

    def _data(self, row: list[str]) -> dict[str, str | datetime]:
        data: dict[str, str | datetime] = {}
        for name, place in self._places.items():
            cell = unguard(row[place].strip())
            if not cell:
                continue
            try:
                if name == "timestamp":
                    data[name] = self._moments.read(cell)
                elif name == "item" and not cell.isprintable():
                    # A line break within a cell becomes a space of the item.
                    data[name] = " ".join(cell.splitlines())
                elif name in ("price", "quantity") and not self._plain:
                    data[name] = plain_number(cell, self._options.decimal, self._options.thousands)
                else:
                    data[name] = cell
            except ValueError as error:
                wrong = FieldError("invalid", str(error), name)
                raise ValidationFailed([self._explained(wrong, row)]) from None
        return data


@contextmanager
def _rolled_back() -> Iterator[None]:
    """A transaction that is rolled back, for the customers that a dry run would create."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class _Recorder:
    """Records chunks of lines or, in a dry run, only counts them."""

    def __init__(self, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._customers = Customers()
        self._met: dict[str, Found] = {}

    def __call__(self, chunk: list[Line], result: BulkResult, rejected: Rejected) -> None:
        entries = [entry for *_, entry in chunk if isinstance(entry, Entry)]
        if self._dry_run:
            outcomes = iter(Rehearsal(entries, self._customers, self._met).outcomes())
        else:
            outcomes = iter(record_purchases(entries))
        for number, row, entry in chunk:
            outcome = next(outcomes) if isinstance(entry, Entry) else entry
            result.count(number, outcome)
            if not isinstance(outcome, Recorded):
                rejected.write(number, row, outcome)
