"""The one way into the ledger: :func:`record_purchases`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Q

from accounts.access import Caller, may_record_for_anyone, may_see_everything
from accounts.names import same
from accounts.services import Customer, Names, customers_resolve
from purchases.models import Event, Purchase
from purchases.representation import PurchaseData, purchase_data
from purchases.validation import DELIMITER, PurchaseInput, delimited, digest
from shop.core import replica
from shop.core.errors import ApplicationError, Forbidden, OutcomeUnknown, ServerError, Unavailable
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)


class IdempotencyKeyReused(ApplicationError):
    """The idempotency key came before, with another body."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used before with another body."


class RowKeyReused(IdempotencyKeyReused):
    """A row of a file has the key of an earlier one, and says something else."""

    detail = "A row with this key was recorded before and says something else."


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A purchase to record: who asks, what, and under which idempotency key.

    ``scope`` says whose key that is: ``key`` is a request's, ``line`` a bulk request's with the
    line's number, ``row`` a row's own. Keys of different scopes never name the same purchase.
    """

    caller: Caller
    purchase: PurchaseInput
    idempotency_key: str | None = None
    # What identifies a purchase that has neither a key nor a time of its own, so that trying it
    # again does not record it twice: 32 hexadecimal digits.
    nonce: str | None = None
    scope: str = "key"
    # How many equal lines of the same file came before, where equal lines are different purchases.
    occurrence: int | None = None


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A purchase that is in the ledger; ``replayed`` where it was there before.

    ``values`` are those of ``PURCHASE_FIELDS``.
    """

    values: tuple[Any, ...]
    replayed: bool
    customer_id: int

    @property
    def purchase(self) -> PurchaseData:
        """Return the purchase as the API shows it; who records many never asks."""
        return purchase_data(*self.values)


Outcome = Recorded | ApplicationError
# The fingerprint of a purchase that is in the ledger, and its values, those of PURCHASE_FIELDS.
Found = tuple[str | None, tuple[Any, ...]]

BATCH_LOCK_MILLISECONDS = 50
"""How long purchases of many accounts wait for what somebody's transaction holds."""
LOCK_MILLISECONDS = 150
"""The same of a purchase that was held up before, and is tried by itself."""


class KeyHeld(Unavailable):
    """A transaction that is not at its end has the same purchase, such as a bulk request's."""

    detail = "This purchase is being recorded by another request. Try again shortly."


class Row(msgspec.Struct, gc=False):
    """An entry whose customer is known, with the keys that identify it.

    ``index`` is the entry's place in the input; the keys are 32 hexadecimal digits.
    """

    index: int
    customer_id: int
    username: str
    userid: str
    entry: Entry
    dedupe_key: str
    fingerprint: str | None


def authorise(caller: Caller, purchase: PurchaseInput) -> None:
    """Raise ``Forbidden`` where the caller names somebody it may not record for."""
    if may_record_for_anyone(caller):
        return
    if purchase.userid not in (None, caller.userid):
        raise Forbidden("You may record purchases for yourself only.", attr="userid")
    if purchase.username is not None and not same(purchase.username, caller.username):
        raise Forbidden("You may record purchases for yourself only.", attr="username")


# One statement writes purchases and events. Without a condition ids are given in the order of the
# input, so that the events of one batch keep it; rows are inserted in the order of their keys, so
# that two batches that hold the same keys wait for each other instead of deadlocking, and of two
# rows with one key the first is the one that stays, as the answers say. A condition may join the
# rows in any order: then no two of them may have one key.
_INSERT = f"""
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, row.*
    FROM unnest(
        %s::bigint[], %s::text[], %s::int[], %s::numeric[], %s::text[], %s::timestamptz[],
        %s::bigint[], %s::uuid[], %s::uuid[] {{more_columns}}
    ) AS row (customer_id, item, quantity, price, currency, "timestamp", recorded_by_id,
              dedupe_key, fingerprint {{more_names}})
    {{condition}}
), recorded AS (
    INSERT INTO {Purchase._meta.db_table}
        (id, customer_id, item, quantity, price, currency, "timestamp", received_at,
         recorded_by_id, dedupe_key, fingerprint)
    SELECT id, customer_id, item, quantity, price, currency, coalesce("timestamp", now()), now(),
           recorded_by_id, dedupe_key, fingerprint
    FROM input
    ORDER BY dedupe_key, id
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id, customer_id, received_at, dedupe_key
), logged AS (
    INSERT INTO {Event._meta.db_table} (purchase_id, customer_id)
    SELECT id, customer_id FROM recorded
)
SELECT replace(dedupe_key::text, '-', ''), id::text, received_at FROM recorded
"""  # noqa: S608
INSERT = _INSERT.format(more_columns="", more_names="", condition="")
# The same for rows whose caller and customer were found before: it records a row only if the
# token is still good and both accounts are still what they were, and says nothing of the others.
INSERT_IF_STILL_SIGNED_IN = _INSERT.format(
    more_columns=", %s::text[], %s::boolean[], %s::text[], %s::text[]",
    more_names=", token, names_anyone, username, userid",
    condition="""
    WHERE EXISTS (
        SELECT FROM knox_authtoken AS token
        JOIN accounts_user AS caller ON caller.id = token.user_id
        JOIN accounts_user AS customer ON customer.id = row.customer_id
        WHERE token.digest = row.token
          AND (token.expiry IS NULL OR token.expiry > statement_timestamp())
          AND caller.id = row.recorded_by_id AND caller.is_active
          AND (caller.is_staff OR caller.is_client) = row.names_anyone
          AND customer.username = row.username AND customer.userid = row.userid
    )""",
)


def record_purchases(entries: Sequence[Entry]) -> list[Outcome]:
    """Record purchases and their events in one transaction; return one outcome for each entry.

    This is the only code that writes a purchase. An entry that may not be recorded gets its
    ``ApplicationError`` as its outcome and does not touch its neighbours. When this returns, what
    is ``Recorded`` is committed, unless the caller holds a transaction of its own open.

    Raises ``OperationalError`` where PostgreSQL cannot do it now and nothing was recorded, and
    ``OutcomeUnknown`` where that cannot be said.
    """
    if connection.in_atomic_block:
        with ledger_transaction():
            return _record(entries)
    try:
        return _record_together(entries)
    except DatabaseError as error:
        # One row that the database refuses, or that waits for a lock, must not take the neighbours
        # with it. A lost connection concerns them all.
        if not _concerns_rows(error):
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            # A migration has the table, and soon has done with it.
            with ledger_transaction():
                return _record(entries)
        if len(entries) == 1:
            return record_each(entries)
        logger.warning("purchase.batch_split", entries=len(entries), reason=str(error.__cause__))
        return _record_apart(entries)


def record_each(entries: Sequence[Entry]) -> list[Outcome]:
    """Record each purchase in a transaction of its own; the rest is as of `record_purchases`."""
    return [_record_alone(entry) for entry in entries]


def whose(entry: Entry) -> tuple[Any, ...]:
    """Return what purchases have in common that may wait for each other: who records for whom."""
    caller, purchase = entry.caller, entry.purchase
    if not may_record_for_anyone(caller):
        return (caller.id,)
    return caller.id, purchase.userid, (purchase.username or "").lower()


def _record_together(entries: Sequence[Entry]) -> list[Outcome]:
    with ledger_transaction():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{BATCH_LOCK_MILLISECONDS}ms'")
        return _record(entries)


def _record_apart(entries: Sequence[Entry]) -> list[Outcome]:
    """Record the entries of each caller and customer by themselves, after all failed together.

    Those of a group that meets a lock are ``KeyHeld``, all of them, whichever of them it was.
    """
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        groups[whose(entry)].append(index)
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
            # One of them is refused, or the server has gone; each is told for itself.
            found = record_each(group)
        for place, outcome in zip(places, found, strict=True):
            outcomes[place] = outcome
    return outcomes


@contextmanager
def ledger_transaction() -> Iterator[None]:
    """Hold a transaction open for the block, and commit it.

    Raises ``OutcomeUnknown`` where the connection breaks while the commit is on its way; after any
    other exception nothing of the transaction was recorded.
    """
    committing = False
    try:
        with transaction.atomic():
            yield
            committing = not connection.savepoint_ids
    except (OperationalError, InterfaceError) as error:
        if committing and is_lost(error.__cause__):
            raise OutcomeUnknown from error
        raise


def is_lost(error: BaseException | None) -> bool:
    """Return whether it is not known what became of the statement that failed by `error`.

    PostgreSQL names a state in what it refuses, and then nothing was recorded. States of the class
    57P say that it is going away.
    """
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return state is None or state.startswith("57P")


def _concerns_rows(error: DatabaseError) -> bool:
    return is_held(error.__cause__) or not is_outage(error)


def is_held(error: BaseException | None) -> bool:
    """Return whether somebody's transaction holds a row or a key that the statement needs.

    PostgreSQL names the row then. Without one it is the whole table, which a migration holds.
    """
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return error.diag.context is not None
    return isinstance(error, psycopg.errors.DeadlockDetected)


def _record_alone(entry: Entry) -> Outcome:
    """Record one entry of those that cannot be recorded together; its error is its outcome."""
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
    """The customers that one transaction has met, so that it asks for each of them once."""

    def __init__(self) -> None:
        self._known: dict[Names, Customer | ApplicationError] = {}

    def resolve(self, names: Sequence[Names]) -> list[Customer | ApplicationError]:
        """Return what ``customers_resolve`` does."""
        known = self._known
        if unknown := [pair for pair in dict.fromkeys(names) if pair not in known]:
            known.update(zip(unknown, customers_resolve(unknown), strict=True))
        return [known[pair] for pair in names]


class Batch:
    """Entries on their way into the ledger, in three steps of one transaction.

    Creating one finds the customers; ``write`` is the one statement, and the only step that may
    run in another thread; ``outcomes`` reads what was there before.
    """

    def __init__(self, entries: Sequence[Entry], customers: Customers) -> None:
        self._outcomes: list[Outcome | None] = [None] * len(entries)
        self._rows = _identify(entries, self._outcomes, customers)
        self._recorded: dict[str, tuple[str, datetime]] = {}
        connection.ensure_connection()
        self._connection = connection.connection

    def write(self) -> None:
        """Insert what is new."""
        if not self._rows:
            return
        # psycopg's own cursor binds on the server and keeps the statement prepared, which
        # Django's does not.
        with psycopg.Cursor(self._connection) as cursor, connection.wrap_database_errors:
            cursor.execute(INSERT, columns(self._rows), prepare=True)
            self._recorded = {key: (id, at) for key, id, at in cursor.fetchall()}

    def outcomes(self) -> list[Outcome]:
        """Return one outcome for each entry."""
        if self._rows:
            # Also for repeats: the first may have committed a moment ago.
            replica.wrote({row.entry.caller.id for row in self._rows})
        missing = {row.dedupe_key for row in self._rows} - self._recorded.keys()
        found = _read_back(missing) if missing else {}
        for row in self._rows:
            self._outcomes[row.index] = _outcome(row, self._recorded, found)
        return [outcome for outcome in self._outcomes if outcome is not None]

    def is_recorded(self) -> bool:
        """Return whether every entry is in the ledger already, as it is here."""
        found = _read_back({row.dedupe_key for row in self._rows})
        return bool(self._rows) and all(
            row.dedupe_key in found and found[row.dedupe_key][0] == row.fingerprint
            for row in self._rows
        )


class Rehearsal(Batch):
    """A batch that tells what would become of its entries, and writes no purchase.

    It locks nothing, so it keeps nobody from recording. ``met`` holds what rehearsals before it in
    the same run would have recorded. What the caller may not read does not count as a duplicate:
    a rehearsal leaves no trace, so it must not tell what others bought.
    """

    def __init__(
        self, entries: Sequence[Entry], customers: Customers, met: dict[str, Found]
    ) -> None:
        super().__init__(entries, customers)
        self._met = met

    def write(self) -> None:
        """Write nothing."""

    def outcomes(self) -> list[Outcome]:
        """Return one outcome for each entry; what is new has no id and no time of receipt."""
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
) -> list[Row]:
    """Find each entry's customer; put an error into ``outcomes`` where there is none."""
    named: list[tuple[int, Names]] = []
    customers: dict[int, tuple[int, str, str]] = {}
    for index, entry in enumerate(entries):
        caller, purchase = entry.caller, entry.purchase
        if purchase.userid is None and purchase.username is None:
            customers[index] = (caller.id, caller.username, caller.userid)
        elif may_record_for_anyone(caller):
            named.append((index, (purchase.userid, purchase.username)))
        else:
            try:
                authorise(caller, purchase)
            except ApplicationError as error:
                outcomes[index] = error
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


def identify(index: int, entry: Entry, customer_id: int, username: str, userid: str) -> Row:
    """Return the entry as a row of the ledger, with what tells it from every other."""
    purchase = entry.purchase
    content = delimited(
        customer_id,
        purchase.item,
        purchase.quantity,
        purchase.price,
        purchase.currency,
        _timestamp(purchase),
    )
    fingerprint = None
    if entry.idempotency_key is not None:
        dedupe_key = digest(delimited(entry.scope, entry.caller.id, entry.idempotency_key))
        fingerprint = digest(content)
    elif entry.occurrence:
        dedupe_key = digest(delimited("content", content, entry.occurrence))
    elif purchase.timestamp is not None or entry.occurrence is not None:
        dedupe_key = digest("content" + DELIMITER + content)
    else:
        # Without a key and without a time nothing tells a repeat from a second purchase.
        dedupe_key = entry.nonce or uuid4().hex
    return Row(index, customer_id, username, userid, entry, dedupe_key, fingerprint)


def _timestamp(purchase: PurchaseInput) -> str | None:
    """Return the purchase's time as ``str`` writes it, in a fifth of the time."""
    if purchase.timestamp is None:
        return None
    text: str = msgspec.to_builtins(purchase.timestamp)
    return text[:10] + " " + text[11:-1] + "+00:00"


def array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array whose elements need no quotes."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def text_array(values: Iterable[str]) -> str:
    """Return PostgreSQL's text of an array of strings."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the parameters of ``INSERT``: one array, as text, for each column.

    psycopg would adapt lists element by element, which costs more than all else it does here.
    """
    purchases = [row.entry.purchase for row in rows]
    return [
        array([row.customer_id for row in rows]),
        text_array([purchase.item for purchase in purchases]),
        array([purchase.quantity for purchase in purchases]),
        array([purchase.price for purchase in purchases]),
        array([purchase.currency for purchase in purchases]),
        # The timestamps hold a space, which stands for itself.
        array([_timestamp(purchase) for purchase in purchases]),
        array([row.entry.caller.id for row in rows]),
        array([row.dedupe_key for row in rows]),
        array([row.fingerprint for row in rows]),
    ]


def _read_back(keys: set[str], *, seen_by: Caller | None = None) -> dict[str, Found]:
    """Return fingerprint and purchase by dedupe key for those that were there before.

    With ``seen_by`` it leaves out what that caller may not read.
    """
    found = {}
    queryset = Purchase.objects.filter(dedupe_key__in=keys).select_related("customer")
    if seen_by is not None and not may_see_everything(seen_by):
        queryset = queryset.filter(Q(customer=seen_by.id) | Q(recorded_by=seen_by.id))
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
    row: Row,
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


def recorded_row(row: Row, id: str, received_at: datetime) -> Recorded:
    """Return the outcome of a row that has just been recorded."""
    purchase = row.entry.purchase
    values = (
        id,
        row.username,
        row.userid,
        purchase.item,
        purchase.quantity,
        purchase.price,
        purchase.currency,
        # A purchase without a time of its own gets that of its receipt.
        purchase.timestamp or received_at,
        received_at,
    )
    return Recorded(values, replayed=False, customer_id=row.customer_id)
