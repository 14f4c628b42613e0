"""How payments, refunds and chargebacks change, and what each change moves.

States only go forwards in the tables here. So messages in any order, and twice, end in the same
state and move the same sums. The caller has locked the invoice's balance.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.utils import timezone

from billing import events
from billing.invoices.models import Entry
from billing.payments.entries import enter
from billing.payments.models import Chargeback, Payment, Refund
from events.services import emit
from events.types import EventType
from shop.core.site_settings.general import site_today

_PAYMENT_NEXT = {
    "pending": {"succeeded", "failed", "canceled"},
    # Money that comes after all is booked.
    "failed": {"succeeded"},
    "canceled": {"succeeded"},
    "succeeded": set[str](),
}
_REFUND_NEXT = {
    "requested": {"submitted", "succeeded", "failed", "unknown"},
    "unknown": {"submitted", "succeeded", "failed"},
    "submitted": {"succeeded", "failed"},
    # A bank may send a refund back.
    "succeeded": {"failed"},
    "failed": set[str](),
}
_CHARGEBACK_NEXT = {
    "inquiry": {"opened", "won", "lost"},
    "opened": {"won", "lost"},
    # Some verdicts are reversed in the shop's favour.
    "lost": {"won"},
    "won": set[str](),
}
_SETTLED_REFUNDS = (Refund.Status.SUCCEEDED, Refund.Status.FAILED)
_VERDICTS = (Chargeback.Status.WON, Chargeback.Status.LOST)
_REFUND_EVENTS = {
    "requested": events.REFUND_REQUESTED,
    "succeeded": events.REFUND_SUCCEEDED,
    "failed": events.REFUND_FAILED,
    "unknown": events.REFUND_UNKNOWN,
}
_CHARGEBACK_EVENTS = {
    "opened": events.CHARGEBACK_OPENED,
    "won": events.CHARGEBACK_WON,
    "lost": events.CHARGEBACK_LOST,
}


def payment_moves(
    payment: Payment, status: str, *, received: Decimal | None = None, paid_on: date | None = None
) -> bool:
    """Let a payment take a status; return whether it did."""
    if status not in _PAYMENT_NEXT[payment.status]:
        return False
    payment.status = status
    payment.settled_at = timezone.now()
    if status == Payment.Status.SUCCEEDED:
        payment.received = payment.amount if received is None else received
        payment.paid_on = paid_on or site_today()
    _save(payment, "status", "settled_at", "received", "paid_on", "external_id", "reference")
    if status == Payment.Status.SUCCEEDED:
        enter(payment.document_id, Entry.Kind.PAID, payment.pk, payment.received)
        data = events.PaymentReceived(
            id=payment.pk,
            invoice=payment.document_id,
            provider=payment.provider,
            currency=payment.currency,
            amount=payment.received,
        )
        emit(events.PAYMENT_RECEIVED, customer=payment.customer_id, data=data)
    return True


def refund_begins(refund: Refund) -> None:
    """Add a refund, as ``requested`` or as the provider tells of it."""
    if refund.status in _SETTLED_REFUNDS:
        refund.settled_at = timezone.now()
    refund.save(force_insert=True)
    if refund.status != Refund.Status.FAILED:
        enter(refund.document_id, Entry.Kind.REFUNDED, refund.pk, refund.amount)
    _tell_refund(refund)


def refund_moves(refund: Refund, status: str, *, failure: str = "") -> bool:
    """Let a refund take a status; return whether it did. What failed is the shop's again."""
    if status not in _REFUND_NEXT[refund.status]:
        return False
    refund.status = status
    refund.failure = failure
    if status in _SETTLED_REFUNDS:
        refund.settled_at = timezone.now()
    _save(refund, "status", "failure", "settled_at", "external_id", "next_attempt_at")
    if status == Refund.Status.FAILED:
        enter(refund.document_id, Entry.Kind.REFUND_REVERSED, refund.pk, refund.amount)
    _tell_refund(refund)
    return True


def chargeback_begins(chargeback: Chargeback) -> None:
    """Add a chargeback, as it is booked or as the provider tells of it."""
    if chargeback.status in _VERDICTS:
        chargeback.settled_at = timezone.now()
    chargeback.save(force_insert=True)
    _move_chargeback(chargeback, was="")


def chargeback_moves(chargeback: Chargeback, status: str) -> bool:
    """Let a chargeback take a status; return whether it did."""
    was = chargeback.status
    if status not in _CHARGEBACK_NEXT[was]:
        return False
    chargeback.status = status
    if status in _VERDICTS:
        chargeback.settled_at = timezone.now()
    _save(chargeback, "status", "settled_at")
    _move_chargeback(chargeback, was=was)
    return True


def _move_chargeback(chargeback: Chargeback, *, was: str) -> None:
    """Write what a new status moves: opened and lost take the money, won gives exactly it back."""
    taken = (Chargeback.Status.OPENED, Chargeback.Status.LOST)
    if chargeback.status in taken and was not in taken:
        kind = Entry.Kind.CHARGED_BACK
        enter(chargeback.document_id, kind, chargeback.pk, chargeback.amount)
    elif chargeback.status == Chargeback.Status.WON and was in taken:
        kind = Entry.Kind.CHARGEBACK_REVERSED
        enter(chargeback.document_id, kind, chargeback.pk, chargeback.amount)
    _tell(_CHARGEBACK_EVENTS.get(chargeback.status), chargeback, events.ChargebackMoved)


def _tell_refund(refund: Refund) -> None:
    _tell(_REFUND_EVENTS.get(refund.status), refund, events.RefundMoved)


def _tell(type: EventType | None, row: Refund | Chargeback, struct: Any) -> None:
    if type is None:
        return
    data = struct(
        id=row.pk,
        payment=row.payment_id,
        invoice=row.document_id,
        provider=row.provider,
        currency=row.currency,
        amount=row.amount,
    )
    emit(type, customer=row.customer_id, data=data)


def _save(row: Model, *fields: str) -> None:
    row.save(update_fields=fields)
