"""A purchase on its way into the ledger: the request, its keys, and its outcome.

A purchase is first a ``PurchaseInput``, whose fields are valid. With its caller it becomes an
``Entry``, with its customer and its keys a ``KeyedEntry``, and it ends as an ``Outcome``.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from accounts.access import Caller, may_record, may_record_for_anyone
from accounts.names import same
from accounts.permissions import Permission
from purchases.representation import PurchaseData, purchase_data
from purchases.validation import DELIMITER, PurchaseInput, delimited, digest
from shop.core.errors import ApplicationError, Forbidden, Unavailable
from shop.core.idempotency import IdempotencyKeyReused


class RowKeyReused(IdempotencyKeyReused):
    """A row of a file has the key of an earlier row, with other values."""

    detail = "A row with this key was recorded before, with other values."


class KeyHeld(Unavailable):
    """An open transaction, such as a bulk request's, is recording the same purchase."""

    detail = "This purchase is being recorded by another request. Try again shortly."


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A purchase to record: its caller, its fields, and its idempotency key.

    ``scope`` is the kind of the key: ``key`` is a request's, ``line`` a bulk request's with the
    line's number, ``row`` a row's own. Keys of different scopes never name the same purchase.
    """

    caller: Caller
    purchase: PurchaseInput
    idempotency_key: str | None = None
    # Identifies a purchase that has neither a key nor a timestamp, so that a retry does not record
    # it twice: 32 hexadecimal digits.
    nonce: str | None = None
    scope: str = "key"
    # How many equal lines precede this one in its file, where equal lines are different purchases.
    occurrence: int | None = None


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A recorded purchase; ``replayed`` where an earlier request recorded it.

    ``values`` has the order of ``PURCHASE_FIELDS``.
    """

    values: tuple[Any, ...]
    replayed: bool
    customer_id: int

    @property
    def purchase(self) -> PurchaseData:
        """Return the purchase as the API shows it, made on demand because batches need none."""
        return purchase_data(*self.values)


Outcome = Recorded | ApplicationError
# The fingerprint and the PURCHASE_FIELDS of a recorded purchase.
Found = tuple[str | None, tuple[Any, ...]]


class KeyedEntry(msgspec.Struct, gc=False):
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
    """Raise ``Forbidden`` where the caller may not record purchases for this customer."""
    if may_record_for_anyone(caller):
        return
    if not may_record(caller):
        raise Forbidden(accepted=Permission.PURCHASES_WRITE.code)
    attr = None
    if purchase.userid not in (None, caller.userid):
        attr = "userid"
    elif purchase.username is not None and not same(purchase.username, caller.username):
        attr = "username"
    if attr is not None:
        detail = "You may record purchases for yourself only."
        raise Forbidden(detail, attr=attr, accepted=Permission.PURCHASES_WRITE_ALL.code)


def lane_of(entry: Entry) -> tuple[Any, ...]:
    """Return the lane of a purchase: its caller and its customer, whose purchases share locks."""
    caller, purchase = entry.caller, entry.purchase
    if not may_record_for_anyone(caller):
        return (caller.id,)
    return caller.id, purchase.userid, (purchase.username or "").lower()


def identify(index: int, entry: Entry, customer_id: int, username: str, userid: str) -> KeyedEntry:
    """Return the entry as a row of the ledger, with its deduplication key and its fingerprint."""
    purchase = entry.purchase
    content = delimited(
        customer_id,
        purchase.item,
        purchase.quantity,
        purchase.price,
        purchase.currency,
        timestamp_text(purchase),
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
        # Without a key and a timestamp, a repeat looks like a second purchase.
        dedupe_key = entry.nonce or uuid4().hex
    return KeyedEntry(index, customer_id, username, userid, entry, dedupe_key, fingerprint)


def timestamp_text(purchase: PurchaseInput) -> str | None:
    """Return ``str(purchase.timestamp)``, five times as fast."""
    if purchase.timestamp is None:
        return None
    text: str = msgspec.to_builtins(purchase.timestamp)
    return text[:10] + " " + text[11:-1] + "+00:00"


def recorded_row(row: KeyedEntry, id: str, received_at: datetime) -> Recorded:
    """Return the outcome of a row that the statement recorded."""
    purchase = row.entry.purchase
    values = (
        id,
        row.username,
        row.userid,
        purchase.item,
        purchase.quantity,
        purchase.price,
        purchase.currency,
        # A purchase without a timestamp gets the time of its receipt.
        purchase.timestamp or received_at,
        received_at,
    )
    return Recorded(values, replayed=False, customer_id=row.customer_id)
