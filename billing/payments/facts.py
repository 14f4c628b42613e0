""":func:`apply`, which books what a provider says happened, in whatever order it says it.

What a provider says is booked even where it exceeds what was paid, because it happened. A refund
that somebody made in the provider's dashboard is booked, too.
"""

from decimal import Decimal
from typing import Any

import structlog
from django.db import connection

from billing.payments.entries import lock_balance
from billing.payments.models import Chargeback, Payment, Refund
from billing.payments.movements import (
    chargeback_begins,
    chargeback_moves,
    payment_moves,
    refund_begins,
    refund_moves,
)
from billing.payments.paying import ASKED_AFTER_SECONDS, cancel_what_is_not_due
from billing.payments.providers.interface import (
    DisputeChanged,
    Fact,
    PaymentChanged,
    RefundChanged,
)
from shop.core import jobs

logger = structlog.get_logger(__name__)


def payment_id_of(fact: Fact) -> str:
    """Return the provider's id of the payment that a fact is about."""
    return fact.external_id if isinstance(fact, PaymentChanged) else fact.payment_external_id


def apply(provider: str, fact: Fact) -> bool:
    """Book a fact, in the caller's transaction. The same fact again changes nothing.

    Return ``False`` for a fact about a payment that is not known by the provider's id yet: it has
    to be applied again when that is known.
    """
    if not isinstance(fact, PaymentChanged) and fact.amount <= 0:
        return True
    _lock(provider, payment_id_of(fact))
    if isinstance(fact, PaymentChanged):
        _apply_payment(provider, fact)
        return True
    if isinstance(fact, RefundChanged):
        return _apply_refund(provider, fact)
    return _apply_dispute(provider, fact)


def _lock(provider: str, payment: str) -> None:
    """Let facts about one payment wait for each other, before anything else is locked.

    A dispute that waits for its payment must be seen by whoever makes the payment known.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", [f"{provider}|{payment}"]
        )


def _apply_payment(provider: str, fact: PaymentChanged) -> None:
    payment = _payment_of(provider, fact)
    if payment is None:
        # Another integration of the same account made it.
        logger.info("payment.foreign", provider=provider, external_id=fact.external_id)
        return
    lock_balance(payment.document_id)
    payment.refresh_from_db()
    if fact.currency and fact.currency != payment.currency:
        logger.error("payment.currency_differs", payment_id=str(payment.pk))
        return
    if fact.external_id and payment.external_id not in ("", fact.external_id):
        # The payer has paid twice. Both payments are booked.
        payment = _further_payment(payment, fact)
    elif fact.external_id and not payment.external_id:
        payment.external_id = fact.external_id
        payment.save(update_fields=["external_id"])
    if payment_moves(payment, fact.status, received=fact.amount, paid_on=fact.paid_on):
        cancel_what_is_not_due(payment.document_id)


def _payment_of(provider: str, fact: PaymentChanged) -> Payment | None:
    of_provider = Payment.objects.filter(provider=provider)
    for name, value in (
        ("external_id", fact.external_id),
        ("pk", fact.payment),
        ("session_id", fact.session_id),
    ):
        found = of_provider.filter(**{name: value}).first() if value else None
        if found is not None:
            return found
    return None


def _further_payment(first: Payment, fact: PaymentChanged) -> Payment:
    return Payment.objects.create(
        document_id=first.document_id,
        customer_id=first.customer_id,
        provider=first.provider,
        external_id=fact.external_id,
        currency=first.currency,
        amount=fact.amount or first.amount,
        # It is not what the payer was asked for, so it is never the one that is open.
        status=Payment.Status.CANCELED,
    )


def _apply_refund(provider: str, fact: RefundChanged) -> bool:
    refund = _refund_of(provider, fact)
    payment = refund.payment if refund else _known_payment(provider, fact)
    if payment is None:
        return False
    lock_balance(payment.document_id)
    # Another message may have added it until now.
    refund = _refund_of(provider, fact)
    if refund is None:
        refund = Refund(
            **_of_payment(payment, fact),
            payment=payment,
            status=fact.status,
            failure=fact.failure,
            reason="",
        )
        refund_begins(refund)
        return True
    if not refund.external_id:
        refund.external_id = fact.external_id
        refund.save(update_fields=["external_id"])
    refund_moves(refund, fact.status, failure=fact.failure)
    return True


def _refund_of(provider: str, fact: RefundChanged) -> Refund | None:
    """Return the refund that a fact is about, by the provider's id or by ours.

    A refund that failed without the provider's id was given up here. If it happened after all, it
    is booked anew.
    """
    refunds = Refund.objects.select_related("payment").filter(provider=provider)
    found = refunds.filter(external_id=fact.external_id).first()
    if found is None and fact.refund is not None:
        found = refunds.filter(pk=fact.refund, external_id="").exclude(status="failed").first()
    return found


def _apply_dispute(provider: str, fact: DisputeChanged) -> bool:
    payment = _known_payment(provider, fact)
    if payment is None:
        return False
    lock_balance(payment.document_id)
    chargeback = Chargeback.objects.filter(provider=provider, external_id=fact.external_id).first()
    if chargeback is None:
        chargeback = Chargeback(
            **_of_payment(payment, fact),
            payment=payment,
            status=fact.status,
            by_provider=True,
            reason=fact.reason,
            opened_on=fact.opened_on,
        )
        chargeback_begins(chargeback)
        return True
    if not chargeback_moves(chargeback, fact.status) and chargeback.status != fact.status:
        logger.info("chargeback.late", chargeback_id=str(chargeback.pk), status=fact.status)
    return True


def _known_payment(provider: str, fact: RefundChanged | DisputeChanged) -> Payment | None:
    return (
        Payment.objects.filter(provider=provider, external_id=fact.payment_external_id)
        .exclude(external_id="")
        .first()
    )


def _of_payment(payment: Payment, fact: RefundChanged | DisputeChanged) -> dict[str, Any]:
    """Return what a refund or a chargeback has of its payment.

    An amount in another currency cannot be booked as it is, so it is the whole payment.
    """
    amount: Decimal = fact.amount
    if fact.currency != payment.currency:
        logger.error("movement.currency_differs", payment_id=str(payment.pk))
        amount = payment.amount
    return {
        "document_id": payment.document_id,
        "customer_id": payment.customer_id,
        "provider": payment.provider,
        "external_id": fact.external_id,
        "currency": payment.currency,
        "amount": amount,
        "next_attempt_at": jobs.from_now(ASKED_AFTER_SECONDS),
    }
