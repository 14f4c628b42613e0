"""Refunds that are asked for here. A worker sends them (:mod:`billing.payments.refund_job`)."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from accounts.models import User
from audit.services import record
from billing.payments.entries import lock_balance, sums_of
from billing.payments.errors import Disputed, ExceedsOverpaid, ExceedsPayment, ProviderDecides
from billing.payments.models import Chargeback, Payment, Refund
from billing.payments.movements import refund_begins, refund_moves
from billing.payments.paying import check_amount
from billing.payments.providers.registry import provider_named
from shop.celery import hint

SEND_TASK = "billing.refund"


def left_of(payment: Payment) -> Decimal:
    """Return how much of a payment the shop holds, not counting what is on its way back."""
    refunded = payment.refunds.exclude(status=Refund.Status.FAILED).aggregate(sum=Sum("amount"))
    taken = payment.chargebacks.filter(
        status__in=(Chargeback.Status.OPENED, Chargeback.Status.LOST)
    ).aggregate(sum=Sum("amount"))
    nothing = Decimal(0)
    return payment.received - (refunded["sum"] or nothing) - (taken["sum"] or nothing)


def is_disputed(payment: Payment) -> bool:
    """Return whether a dispute of the payment has no verdict yet. An inquiry is none."""
    return payment.chargebacks.filter(status=Chargeback.Status.OPENED).exists()


def refund_request(*, actor: User, payment: Payment, amount: Decimal, reason: str) -> Refund:
    """Ask for money to be sent back, and let a worker do it.

    Money goes back only where it is owed: at most what is overpaid, and what is left of its
    payment. Raise ``Disputed``, ``ExceedsOverpaid`` and ``ExceedsPayment``.
    """
    check_amount(amount, payment.currency)
    with transaction.atomic():
        balance = lock_balance(payment.document_id)
        payment.refresh_from_db()
        if is_disputed(payment):
            raise Disputed()
        if amount > sums_of(balance).overpaid:
            raise ExceedsOverpaid()
        if amount > left_of(payment):
            raise ExceedsPayment()
        return _begin(actor, payment, amount, reason)


def refund_overpaid(*, actor: User, document_id: UUID, reason: str) -> list[Refund]:
    """Ask for all that is overpaid on an invoice to be sent back, from its latest payments first.

    What cannot be sent back now, because its payment is disputed, stays overpaid.
    """
    with transaction.atomic():
        rest = sums_of(lock_balance(document_id)).overpaid
        refunds = []
        payments: Iterable[Payment] = Payment.objects.filter(
            document_id=document_id, status=Payment.Status.SUCCEEDED
        ).order_by("-id")
        for payment in payments:
            amount = min(rest, left_of(payment))
            if amount > 0 and not is_disputed(payment):
                refunds.append(_begin(actor, payment, amount, reason))
                rest -= amount
        return refunds


def refund_fail(*, actor: User, refund: Refund, reason: str) -> Refund:
    """Book that a refund by hand did not arrive, so the money is the shop's again.

    The same again changes nothing. Raise ``ProviderDecides`` where the provider tells of it.
    """
    if provider_named(refund.provider).books_itself:
        raise ProviderDecides()
    with transaction.atomic():
        lock_balance(refund.document_id)
        refund.refresh_from_db()
        if refund_moves(refund, Refund.Status.FAILED, failure=reason):
            record(
                "refund.failed",
                object=f"refund:{refund.pk}",
                actor_id=actor.pk,
                account_id=refund.customer_id,
                after={
                    "payment": str(refund.payment_id),
                    "amount": str(refund.amount),
                    "currency": refund.currency,
                },
                personal={"reason": reason},
            )
    return refund


def _begin(actor: User, payment: Payment, amount: Decimal, reason: str) -> Refund:
    refund = Refund(
        payment=payment,
        document_id=payment.document_id,
        customer_id=payment.customer_id,
        created_by=actor,
        provider=payment.provider,
        currency=payment.currency,
        amount=amount,
        reason=reason,
    )
    refund_begins(refund)
    record(
        "refund.requested",
        object=f"refund:{refund.pk}",
        actor_id=actor.pk,
        account_id=refund.customer_id,
        after={
            "payment": str(payment.pk),
            "amount": str(amount),
            "currency": refund.currency,
        },
        personal={"reason": reason},
    )
    id = str(refund.pk)
    transaction.on_commit(lambda: announce(id))
    return refund


def announce(refund_id: str) -> None:
    """Tell a worker that a refund waits. The sweep finds it if the message is lost."""
    hint(SEND_TASK, refund_id=refund_id)
