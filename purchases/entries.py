"""What is recorded: a purchase that somebody asks for, the keys that identify it, its outcome.

A purchase passes ``PurchaseInput`` (its fields are valid), ``Entry`` (who asks for it) and
``KeyedEntry`` (whose it is, and what tells it from every other), and ends as an ``Outcome``.
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
    """A row of a file has the key of an earlier one, and says something else."""

    detail = "A row with this key was recorded before and says something else."


class KeyHeld(Unavailable):
    """A transaction that is not at its end has the same purchase, such as a bulk request's."""

    detail = "This purchase is being recorded by another request. Try again shortly."


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
    """Raise ``Forbidden`` where the caller may not record, or not for whom it names."""
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


def whose(entry: Entry) -> tuple[Any, ...]:
    """Return what purchases have in common that may wait for each other: who records for whom."""
    caller, purchase = entry.caller, entry.purchase
    if not may_record_for_anyone(caller):
        return (caller.id,)
    return caller.id, purchase.userid, (purchase.username or "").lower()


def identify(index: int, entry: Entry, customer_id: int, username: str, userid: str) -> KeyedEntry:
    """Return the entry as a row of the ledger, with what tells it from every other."""
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
        # Without a key and without a time nothing tells a repeat from a second purchase.
        dedupe_key = entry.nonce or uuid4().hex
    return KeyedEntry(index, customer_id, username, userid, entry, dedupe_key, fingerprint)


def timestamp_text(purchase: PurchaseInput) -> str | None:
    """Return ``str(purchase.timestamp)``, five times as fast."""
    if purchase.timestamp is None:
        return None
    text: str = msgspec.to_builtins(purchase.timestamp)
    return text[:10] + " " + text[11:-1] + "+00:00"


def recorded_row(row: KeyedEntry, id: str, received_at: datetime) -> Recorded:
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
