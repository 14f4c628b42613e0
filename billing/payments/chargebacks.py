"""Chargebacks that staff book, because no provider tells of them."""

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from audit.services import record
from billing.payments.entries import lock_balance
from billing.payments.errors import Closed, ExceedsPayment, ProviderDecides, ReferenceUsed
from billing.payments.models import Chargeback, Payment
from billing.payments.movements import chargeback_begins, chargeback_moves
from billing.payments.paying import check_amount, check_day
from billing.payments.providers.registry import provider_named
from billing.payments.refunds import left_of


def chargeback_open(
    *,
    actor: User,
    payment: Payment,
    amount: Decimal,
    reason: str,
    reference: str,
    opened_on: date,
) -> tuple[Chargeback, bool]:
    """Book that a bank takes a payment back; return the chargeback, and whether it is new.

    The same reference again is the same chargeback. Raise ``ExceedsPayment``, ``ReferenceUsed``,
    and ``ProviderDecides`` for a payment whose provider tells of its disputes.
    """
    if provider_named(payment.provider).books_itself:
        raise ProviderDecides()
    check_amount(amount, payment.currency)
    check_day(opened_on, "opened_on")
    with transaction.atomic():
        lock_balance(payment.document_id)
        payment.refresh_from_db()
        booked = payment.chargebacks.filter(reference=reference).exclude(reference="").first()
        if booked is not None:
            if booked.amount != amount:
                raise ReferenceUsed()
            return booked, False
        if amount > left_of(payment):
            raise ExceedsPayment()
        chargeback = Chargeback(
            payment=payment,
            document_id=payment.document_id,
            customer_id=payment.customer_id,
            created_by=actor,
            provider=payment.provider,
            currency=payment.currency,
            amount=amount,
            reason=reason,
            reference=reference,
            opened_on=opened_on,
        )
        chargeback_begins(chargeback)
        _record("chargeback.opened", actor, chargeback)
    return chargeback, True


def chargeback_close(*, actor: User, chargeback: Chargeback, verdict: str) -> Chargeback:
    """Book the verdict, ``won`` or ``lost``; the same again changes nothing.

    Raise ``Closed`` for one with the other verdict, and ``ProviderDecides``.
    """
    if chargeback.by_provider:
        raise ProviderDecides()
    with transaction.atomic():
        lock_balance(chargeback.document_id)
        chargeback.refresh_from_db()
        if chargeback.status == verdict:
            return chargeback
        if chargeback.status != Chargeback.Status.OPENED:
            raise Closed()
        chargeback_moves(chargeback, verdict)
        _record(f"chargeback.{verdict}", actor, chargeback)
    return chargeback


def _record(action: str, actor: User, chargeback: Chargeback) -> None:
    record(
        action,
        object=f"chargeback:{chargeback.pk}",
        actor_id=actor.pk,
        account_id=chargeback.customer_id,
        after={
            "payment": str(chargeback.payment_id),
            "amount": str(chargeback.amount),
            "currency": chargeback.currency,
        },
    )
