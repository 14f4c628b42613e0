"""Payments that are started by who wants to pay, and those that staff book."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.services import record
from billing.invoices.models import Balance, Document
from billing.money import exponent_of
from billing.payments.entries import lock_balance, sums_of
from billing.payments.errors import NothingDue, ReferenceUsed
from billing.payments.models import Payment
from billing.payments.movements import payment_moves
from billing.payments.providers.interface import (
    PaymentRequest,
    Provider,
    ProviderAway,
    ProviderRefused,
)
from billing.payments.providers.registry import provider_named, providers_for
from shop.celery import hint
from shop.core import jobs
from shop.core.errors import FieldError, ValidationFailed
from shop.core.site_settings.general import site_today

logger = structlog.get_logger(__name__)

CLOSE_TASK = "billing.payment_close"
ASKED_AFTER_SECONDS = 3600.0
"""When a provider is asked what became of what it says nothing about."""


def check_amount(amount: Decimal, currency: str) -> None:
    """Raise ``ValidationFailed`` unless an amount is more than zero, in whole minor units."""
    exponent = exponent_of(currency)
    if amount <= 0:
        raise ValidationFailed([FieldError("invalid", "Give more than 0.", "amount")])
    if amount != round(amount, exponent):
        detail = f"Amounts in {currency} have at most {exponent} decimals."
        raise ValidationFailed([FieldError("invalid", detail, "amount")])


def check_day(day: date, name: str) -> None:
    """Raise ``ValidationFailed`` for a day that is to come for both the site and its reader."""
    if day > max(site_today(), timezone.localdate()):
        raise ValidationFailed([FieldError("invalid", "This day is to come.", name)])


def payment_begin(
    *, actor: User, document: Document, provider: str, amount: Decimal | None = None
) -> tuple[Payment, bool]:
    """Begin to pay an invoice; return the payment, and whether it is new.

    An invoice has one open payment. The same again is that one; another provider or amount replaces
    it. Money that still comes by the one before is booked. Nothing is sent to the provider here.
    Raise ``NothingDue``, and ``ValidationFailed`` for a provider that one cannot pay by, or more
    than is due.
    """
    chosen = _chosen(provider, document.currency)
    if amount is not None:
        check_amount(amount, document.currency)
    with transaction.atomic():
        balance = lock_balance(document.pk)
        due = sums_of(balance).due
        if due <= 0 or balance.status == Balance.Status.VOID:
            raise NothingDue()
        if amount is not None and amount > due:
            detail = f"{due} {document.currency} are due."
            raise ValidationFailed([FieldError("invalid", detail, "amount")])
        open = Payment.objects.filter(document=document, status=Payment.Status.PENDING).first()
        if open is not None:
            if _is_same(open, chosen, amount, due):
                return open, False
            _cancel(open)
        payment = Payment.objects.create(
            document=document,
            customer_id=document.customer_id,
            created_by=actor,
            provider=chosen.name,
            currency=document.currency,
            amount=due if amount is None else amount,
            next_attempt_at=jobs.from_now(ASKED_AFTER_SECONDS),
        )
        record(
            "payment.started",
            object=f"payment:{payment.pk}",
            actor_id=actor.pk,
            account_id=document.customer_id,
            after={
                "invoice": document.label,
                "provider": chosen.name,
                "amount": str(payment.amount),
                "currency": payment.currency,
            },
        )
    return payment, True


def _chosen(name: str, currency: str) -> Provider:
    offered = {each.name: each for each in providers_for(currency)}
    if name not in offered:
        detail = f"One can pay by {', '.join(offered) or 'nothing'} here."
        raise ValidationFailed([FieldError("invalid_choice", detail, "provider")])
    return offered[name]


def _is_same(open: Payment, chosen: Provider, amount: Decimal | None, due: Decimal) -> bool:
    if open.provider != chosen.name or open.amount > due:
        return False
    if chosen.lasts is not None and timezone.now() > open.created_at + chosen.lasts:
        return False
    return amount is None or amount == open.amount


def request_of(payment: Payment) -> PaymentRequest:
    """Return what a provider is told of a payment, which is the same each time."""
    return PaymentRequest(
        id=payment.pk,
        document_id=payment.document_id,
        number=Document.objects.values_list("label", flat=True).get(pk=payment.document_id),
        currency=payment.currency,
        amount=payment.amount,
        created_at=payment.created_at,
        session_id=payment.session_id,
    )


def payment_action(payment: Payment) -> Mapping[str, Any]:
    """Return what the payer has to do. Asks the provider once, and outside of any transaction.

    Raise ``ProviderAway``; the payment stays open then, and the next call asks again under the same
    key. Raise ``ProviderRefused``, which ends the payment.
    """
    if payment.action:
        action: Mapping[str, Any] = payment.action
        return action
    provider = provider_named(payment.provider)
    try:
        started = provider.start(request_of(payment))
    except ProviderRefused:
        with transaction.atomic():
            lock_balance(payment.document_id)
            payment.refresh_from_db()
            payment_moves(payment, Payment.Status.FAILED)
        raise
    unknown = Payment.objects.filter(pk=payment.pk, session_id="", reference="")
    unknown.update(
        action=started.action if started.keep else {},
        session_id=started.session_id,
        reference=started.reference,
    )
    return started.action


def payment_book(
    *,
    actor: User,
    document: Document,
    amount: Decimal,
    paid_on: date,
    reference: str,
    method: str = "bank",
) -> tuple[Payment, bool]:
    """Book money that came by bank or cash; return the payment, and whether it is new.

    More than is due is booked, too. The same reference again is the same payment. Raise
    ``ReferenceUsed`` if it was booked with another amount or day.
    """
    check_amount(amount, document.currency)
    check_day(paid_on, "paid_on")
    with transaction.atomic():
        lock_balance(document.pk)
        booked = Payment.objects.filter(
            document=document, reference=reference, status=Payment.Status.SUCCEEDED
        ).first()
        if booked is not None:
            if (booked.received, booked.paid_on) != (amount, paid_on):
                raise ReferenceUsed()
            return booked, False
        payment = _open_transfer(document.pk) if method == "bank" else None
        if payment is None:
            payment = Payment.objects.create(
                document=document,
                customer_id=document.customer_id,
                created_by=actor,
                provider=method,
                currency=document.currency,
                amount=amount,
                # Another payment may be open, which this one leaves alone.
                status=Payment.Status.CANCELED,
            )
        payment.reference = reference
        payment_moves(payment, Payment.Status.SUCCEEDED, received=amount, paid_on=paid_on)
        cancel_what_is_not_due(document.pk)
        record(
            "payment.booked",
            object=f"payment:{payment.pk}",
            actor_id=actor.pk,
            account_id=document.customer_id,
            after={
                "invoice": document.label,
                "provider": method,
                "amount": str(amount),
                "currency": payment.currency,
                "paid_on": paid_on.isoformat(),
            },
        )
    return payment, True


def cancel_what_is_not_due(document_id: UUID) -> None:
    """Cancel the open payment of an invoice on which nothing is due any more.

    Whoever pays, credits or voids an invoice calls it, so that nobody pays what is not owed.
    """
    if sums_of(lock_balance(document_id)).due > 0:
        return
    for open in Payment.objects.filter(document=document_id, status=Payment.Status.PENDING):
        _cancel(open)


def _cancel(payment: Payment) -> None:
    """Cancel an open payment here, and let a worker close it at its provider."""
    payment_moves(payment, Payment.Status.CANCELED)
    if payment.session_id:
        id = str(payment.pk)
        transaction.on_commit(partial(hint, CLOSE_TASK, payment_id=id))


def payment_close(payment_id: UUID) -> None:
    """Tell a provider that nobody is to pay what was canceled here.

    If it cannot be told, its page stays open for hours, and money that comes by it is booked.
    """
    payment = Payment.objects.filter(pk=payment_id, status=Payment.Status.CANCELED).first()
    if payment is not None:
        try:
            provider_named(payment.provider).close(request_of(payment))
        except ProviderAway:
            logger.info("payment.still_open", payment_id=str(payment_id))


def _open_transfer(document_id: UUID) -> Payment | None:
    return Payment.objects.filter(
        document_id=document_id, provider="bank", status=Payment.Status.PENDING
    ).first()
