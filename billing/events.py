"""The events of billing. Their data have what a follower needs to keep statistics.

Amounts are decimal strings. The customer is the event's own. ``items`` are the amounts of each
item; where they would be too large for an event, they are left out, and ``items_complete`` is
false.
"""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

import msgspec

from billing.content import ContentLine
from events.types import EventType

ITEMS_MAX_BYTES = 8 * 1024


class ItemAmount(msgspec.Struct, forbid_unknown_fields=True):
    """What a document says about one item at one tax rate. ``net`` is without tax."""

    item: str
    quantity: int
    gross: Decimal
    discount: Decimal
    net: Decimal
    tax_category: str
    tax_rate: Decimal


class InvoiceIssued(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    number: str
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    issued_on: str
    due_on: str | None
    lines: int
    items: list[ItemAmount]
    items_complete: bool


class InvoicePaid(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    number: str
    currency: str
    total: Decimal
    credited: Decimal
    paid: Decimal


class CreditNoteIssued(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    number: str
    invoice: UUID
    invoice_number: str
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    issued_on: str
    lines: int
    items: list[ItemAmount]
    items_complete: bool


class PaymentReceived(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    invoice: UUID
    provider: str
    currency: str
    amount: Decimal


class RefundMoved(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    payment: UUID
    invoice: UUID
    provider: str
    currency: str
    amount: Decimal


class ChargebackMoved(msgspec.Struct, forbid_unknown_fields=True):
    id: UUID
    payment: UUID
    invoice: UUID
    provider: str
    currency: str
    amount: Decimal


class CouponRedeemed(msgspec.Struct, forbid_unknown_fields=True):
    """``amount`` is the discount. A coupon is redeemed on an invoice or with a purchase."""

    coupon: UUID
    code: str
    currency: str
    amount: Decimal
    invoice: UUID | None
    purchase: UUID | None


def items_of(lines: Iterable[ContentLine]) -> tuple[list[ItemAmount], bool]:
    """Return the amounts of each item, and whether they fit into an event."""
    found: dict[tuple[str, str, Decimal], ItemAmount] = {}
    for line in lines:
        key = (line.text, line.tax_category, line.tax_rate)
        amount = found.get(key)
        if amount is None:
            amount = found[key] = ItemAmount(
                line.text, 0, Decimal(0), Decimal(0), Decimal(0), line.tax_category, line.tax_rate
            )
        amount.quantity += line.quantity
        amount.gross += line.gross
        amount.discount += line.discount
        amount.net += line.net
    items = list(found.values())
    fits = len(msgspec.json.encode(items)) <= ITEMS_MAX_BYTES
    return (items, True) if fits else ([], False)


def _type(name: str, number: int, description: str, data: type[msgspec.Struct]) -> EventType:
    return EventType(name, number, "billing", description, data)


INVOICE_ISSUED = _type("invoice.issued", 20, "An invoice got its number.", InvoiceIssued)
INVOICE_PAID = _type("invoice.paid", 21, "Nothing is due on an invoice any more.", InvoicePaid)
CREDIT_NOTE_ISSUED = _type(
    "credit_note.issued", 22, "A credit note got its number.", CreditNoteIssued
)
PAYMENT_RECEIVED = _type("payment.received", 23, "Money came in.", PaymentReceived)
REFUND_REQUESTED = _type("refund.requested", 24, "Money is to go back.", RefundMoved)
REFUND_SUCCEEDED = _type("refund.succeeded", 25, "Money went back.", RefundMoved)
REFUND_FAILED = _type("refund.failed", 26, "Money did not go back.", RefundMoved)
REFUND_UNKNOWN = _type(
    "refund.unknown", 27, "Nobody knows yet whether money went back.", RefundMoved
)
CHARGEBACK_OPENED = _type("chargeback.opened", 28, "A bank took a payment back.", ChargebackMoved)
CHARGEBACK_WON = _type(
    "chargeback.won", 29, "The payment that a bank took back is the shop's again.", ChargebackMoved
)
CHARGEBACK_LOST = _type(
    "chargeback.lost", 30, "The payment that a bank took back stays away.", ChargebackMoved
)
COUPON_REDEEMED = _type("coupon.redeemed", 31, "A coupon was used.", CouponRedeemed)

EVENT_TYPES = (
    INVOICE_ISSUED,
    INVOICE_PAID,
    CREDIT_NOTE_ISSUED,
    PAYMENT_RECEIVED,
    REFUND_REQUESTED,
    REFUND_SUCCEEDED,
    REFUND_FAILED,
    REFUND_UNKNOWN,
    CHARGEBACK_OPENED,
    CHARGEBACK_WON,
    CHARGEBACK_LOST,
    COUPON_REDEEMED,
)
