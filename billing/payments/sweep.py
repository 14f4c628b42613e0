"""What is asked for again, because a message, a worker or an answer was lost."""

from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from billing.payments.entries import lock_balance
from billing.payments.inbox import facts_book
from billing.payments.models import Chargeback, Payment, ProviderEvent, Refund
from billing.payments.movements import payment_moves
from billing.payments.paying import ASKED_AFTER_SECONDS, request_of
from billing.payments.providers.interface import OutcomeUnclear, ProviderAway
from billing.payments.providers.registry import provider_named
from billing.payments.refund_job import DUE, UNSETTLED
from billing.payments.refunds import announce
from shop.core import jobs

logger = structlog.get_logger(__name__)

AT_ONCE = 20
"""How much of each kind one sweep looks at, so that it ends before the next."""
EVENTS_KEPT = timedelta(days=90)
_AWAY = (ProviderAway, OutcomeUnclear)


def payments_sweep() -> None:
    """Wake workers for refunds that are due, and ask about payments and disputes."""
    refunds = Refund.objects.filter(DUE, status__in=UNSETTLED)
    for id in refunds.order_by("next_attempt_at").values_list("pk", flat=True)[:AT_ONCE]:
        announce(str(id))
    for payment in Payment.objects.filter(DUE, status="pending").order_by("next_attempt_at")[
        :AT_ONCE
    ]:
        _ask_payment(payment)
    disputes = Chargeback.objects.filter(
        DUE, by_provider=True, status__in=["inquiry", "opened"]
    ).order_by("next_attempt_at")
    for dispute in disputes[:AT_ONCE]:
        _ask_dispute(dispute)


def _ask_payment(payment: Payment) -> None:
    Payment.objects.filter(pk=payment.pk).update(next_attempt_at=jobs.from_now(ASKED_AFTER_SECONDS))
    provider = provider_named(payment.provider)
    try:
        fact = provider.find_payment(request_of(payment))
    except _AWAY:
        return
    with transaction.atomic():
        if fact is not None:
            facts_book(payment.provider, [fact])
        lock_balance(payment.document_id)
        payment.refresh_from_db()
        over = provider.lasts and timezone.now() > payment.created_at + 2 * provider.lasts
        if fact is None and over:
            payment_moves(payment, Payment.Status.FAILED)


def _ask_dispute(dispute: Chargeback) -> None:
    Chargeback.objects.filter(pk=dispute.pk).update(
        next_attempt_at=jobs.from_now(ASKED_AFTER_SECONDS)
    )
    try:
        fact = provider_named(dispute.provider).find_dispute(dispute.external_id)
    except _AWAY:
        return
    if fact is not None:
        with transaction.atomic():
            facts_book(dispute.provider, [fact])


def events_purge() -> int:
    """Delete the messages of some time ago; return how many. What they said stays."""
    return ProviderEvent.objects.filter(received_at__lt=timezone.now() - EVENTS_KEPT).delete()[0]
