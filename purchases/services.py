"""The one way into the ledger: :func:`record_purchases`."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, connection

from accounts.access import Caller, may_record_for_anyone
from accounts.services import Customer, Names, customers_resolve
from purchases.commits import (
    BATCH_LOCK_MILLISECONDS,
    LOCK_MILLISECONDS,
    is_held,
    ledger_transaction,
)
from purchases.entries import (
    Entry,
    Found,
    KeyedEntry,
    KeyHeld,
    Outcome,
    Recorded,
    RowKeyReused,
    authorise,
    identify,
    lane_of,
    recorded_row,
)
from purchases.models import Purchase
from purchases.selectors import visible_to
from purchases.sql import INSERT, columns
from purchases.validation import PurchaseInput
from shop.core import replica
from shop.core.errors import ApplicationError, OutcomeUnknown, ServerError, Unavailable
from shop.core.idempotency import IdempotencyKeyReused
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)


def record_purchases(entries: Sequence[Entry]) -> list[Outcome]:
    """Record purchases and their events in one transaction; return one outcome for each entry.

    This is the only code that writes a purchase. A refused entry gets its ``ApplicationError`` as
    its outcome and does not affect the other entries. When this returns, each ``Recorded`` purchase
    is committed, unless the caller holds an outer transaction open.

    Raise ``OperationalError`` in an outage with nothing recorded, and ``OutcomeUnknown`` where
    PostgreSQL may have recorded the purchases.
    """
    if connection.in_atomic_block:
        with ledger_transaction():
            return _record(entries)
    try:
        return _record_together(entries)
    except DatabaseError as error:
        # A row that PostgreSQL refuses, or that waits for a lock, must not fail the other rows. A
        # lost connection fails all of them.
        if not _concerns_rows(error):
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            # A migration holds the table for a moment, so the statement waits for it.
            with ledger_transaction():
                return _record(entries)
        if len(entries) == 1:
            return record_each(entries)
        logger.warning("purchase.batch_split", entries=len(entries), reason=str(error.__cause__))
        return _record_apart(entries)


def record_within(entries: Sequence[Entry]) -> list[Outcome]:
    """Do what `record_purchases` does, as a part of the caller's transaction.

    After any exception the transaction must be rolled back.
    """
    return _record(entries)


def record_each(entries: Sequence[Entry]) -> list[Outcome]:
    """Record each purchase in a transaction of its own, otherwise like `record_purchases`."""
    return [_record_alone(entry) for entry in entries]


def _record_together(entries: Sequence[Entry]) -> list[Outcome]:
    with ledger_transaction():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{BATCH_LOCK_MILLISECONDS}ms'")
        return _record(entries)


def _record_apart(entries: Sequence[Entry]) -> list[Outcome]:
    """Record the entries of each lane in a transaction of their own, after the whole batch failed.

    In a lane that meets a lock again, every entry's outcome is ``KeyHeld``.
    """
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        groups[lane_of(entry)].append(index)
    outcomes: list[Outcome] = [KeyHeld()] * len(entries)
    for places in groups.values():
        group = [entries[place] for place in places]
        try:
            found = _record_together(group)
        except OutcomeUnknown as error:
            found = [error] * len(group)
        except DatabaseError as error:
            if is_held(error.__cause__):
                continue
            # PostgreSQL refused a row, or is away, so each entry gets an outcome of its own.
            found = record_each(group)
        for place, outcome in zip(places, found, strict=True):
            outcomes[place] = outcome
    return outcomes


def _concerns_rows(error: DatabaseError) -> bool:
    return is_held(error.__cause__) or not is_outage(error)


def _record_alone(entry: Entry) -> Outcome:
    """Record one entry alone; return its error as its outcome."""
    try:
        with ledger_transaction():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
            return _record([entry])[0]
    except OutcomeUnknown as error:
        return error
    except DatabaseError as error:
        if is_held(error.__cause__):
            return KeyHeld()
        if is_outage(error):
            return Unavailable()
        logger.exception("purchase.refused_by_database", caller=entry.caller.id)
        return ServerError()


def record_purchase(
    *, caller: Caller, purchase: PurchaseInput, idempotency_key: str | None = None
) -> Recorded:
    """Record one purchase; raise its ``ApplicationError`` where it may not be recorded."""
    outcome = record_purchases([Entry(caller, purchase, idempotency_key)])[0]
    if isinstance(outcome, ApplicationError):
        raise outcome
    return outcome


def _record(entries: Sequence[Entry]) -> list[Outcome]:
    batch = Batch(entries, Customers())
    batch.write()
    return batch.outcomes()


class Customers:
    """A cache of one transaction's customers, so that it looks each of them up once."""

    def __init__(self) -> None:
        self._known: dict[Names, Customer | ApplicationError] = {}

    def resolve(self, names: Sequence[Names]) -> list[Customer | ApplicationError]:
        """Return the result of ``customers_resolve``, from the cache where possible."""
        known = self._known
        if unknown := [pair for pair in dict.fromkeys(names) if pair not in known]:
            known.update(zip(unknown, customers_resolve(unknown), strict=True))
        return [known[pair] for pair in names]


class Batch:
    """Entries that one transaction records in three steps.

    The constructor finds the customers. ``write`` executes the one statement; it is the only step
    that may run in another thread. ``outcomes`` reads earlier purchases with the same keys.
    """

    def __init__(self, entries: Sequence[Entry], customers: Customers) -> None:
        self._outcomes: list[Outcome | None] = [None] * len(entries)
        self._rows = _identify(entries, self._outcomes, customers)
        self._recorded: dict[str, tuple[str, datetime]] = {}
        connection.ensure_connection()
        self._connection = connection.connection

    def write(self) -> None:
        """Insert the new purchases."""
        if not self._rows:
            return
        # psycopg's own cursor binds parameters on the server and keeps the statement prepared,
        # unlike Django's.
        with psycopg.Cursor(self._connection) as cursor, connection.wrap_database_errors:
            cursor.execute(INSERT, columns(self._rows), prepare=True)
            self._recorded = {key: (id, at) for key, id, at in cursor.fetchall()}

    def outcomes(self) -> list[Outcome]:
        """Return one outcome for each entry."""
        if self._rows:
            # Repeats count as writes, because the first purchase may have committed a moment ago.
            replica.mark_write_on_commit({row.entry.caller.id for row in self._rows})
        missing = {row.dedupe_key for row in self._rows} - self._recorded.keys()
        found = _read_back(missing) if missing else {}
        for row in self._rows:
            self._outcomes[row.index] = _outcome(row, self._recorded, found)
        return [outcome for outcome in self._outcomes if outcome is not None]

    def is_recorded(self) -> bool:
        """Return whether every entry is in the ledger with the same content."""
        found = _read_back({row.dedupe_key for row in self._rows})
        return bool(self._rows) and all(
            row.dedupe_key in found and found[row.dedupe_key][0] == row.fingerprint
            for row in self._rows
        )


class Rehearsal(Batch):
    """A batch for a dry run: it returns outcomes and writes no purchase.

    It locks nothing, so it delays no writer. ``met`` holds the purchases of earlier rehearsals of
    the same run. Purchases that the caller may not read do not count as duplicates, because a dry
    run leaves no trace and must not reveal other customers' purchases.
    """

    def __init__(
        self, entries: Sequence[Entry], customers: Customers, met: dict[str, Found]
    ) -> None:
        super().__init__(entries, customers)
        self._met = met

    def write(self) -> None:
        """Write nothing."""

    def outcomes(self) -> list[Outcome]:
        """Return one outcome for each entry; new purchases have no values."""
        unknown = {row.dedupe_key for row in self._rows} - self._met.keys()
        callers = {row.entry.caller for row in self._rows}
        for caller in callers:
            self._met |= _read_back(unknown, seen_by=caller)
        for row in self._rows:
            if row.dedupe_key in self._met:
                self._outcomes[row.index] = _outcome(row, {}, self._met)
            else:
                self._met[row.dedupe_key] = (row.fingerprint, ())
                self._outcomes[row.index] = Recorded((), False, row.customer_id)
        return [outcome for outcome in self._outcomes if outcome is not None]


def _identify(
    entries: Sequence[Entry], outcomes: list[Outcome | None], known: Customers
) -> list[KeyedEntry]:
    """Find each entry's customer; put the error into ``outcomes`` where there is none."""
    named: list[tuple[int, Names]] = []
    customers: dict[int, tuple[int, str, str]] = {}
    for index, entry in enumerate(entries):
        caller, purchase = entry.caller, entry.purchase
        try:
            authorise(caller, purchase)
        except ApplicationError as error:
            outcomes[index] = error
            continue
        is_named = purchase.userid is not None or purchase.username is not None
        if is_named and may_record_for_anyone(caller):
            named.append((index, (purchase.userid, purchase.username)))
        else:
            customers[index] = (caller.id, caller.username, caller.userid)
    if named:
        resolved = known.resolve([names for _, names in named])
        for (index, _), customer in zip(named, resolved, strict=True):
            if isinstance(customer, ApplicationError):
                outcomes[index] = customer
            else:
                customers[index] = (customer.id, customer.username, customer.userid)
    return [
        identify(index, entries[index], *customer) for index, customer in sorted(customers.items())
    ]


def _read_back(keys: set[str], *, seen_by: Caller | None = None) -> dict[str, Found]:
    """Return the fingerprint and the values of recorded purchases, by deduplication key.

    With ``seen_by``, leave out purchases that this caller may not read.
    """
    found = {}
    queryset = Purchase.objects.filter(dedupe_key__in=keys).select_related("customer")
    if seen_by is not None:
        queryset = queryset.filter(visible_to(seen_by))
    for purchase in queryset:
        customer = purchase.customer
        found[purchase.dedupe_key.hex] = (
            purchase.fingerprint.hex if purchase.fingerprint else None,
            (
                purchase.id,
                customer.username,
                customer.userid,
                purchase.item,
                purchase.quantity,
                purchase.price,
                purchase.currency,
                purchase.timestamp,
                purchase.received_at,
            ),
        )
    return found


def _outcome(
    row: KeyedEntry,
    recorded: dict[str, tuple[str, datetime]],
    found: dict[str, Found],
) -> Outcome:
    new = recorded.pop(row.dedupe_key, None)
    if new is not None:
        outcome = recorded_row(row, *new)
        # A second entry with this key in the same batch is a repeat of the first.
        found[row.dedupe_key] = (row.fingerprint, outcome.values)
        return outcome
    fingerprint, values = found[row.dedupe_key]
    if fingerprint != row.fingerprint:
        return RowKeyReused() if row.entry.scope == "row" else IdempotencyKeyReused()
    return Recorded(values, replayed=True, customer_id=row.customer_id)
