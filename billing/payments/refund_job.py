"""The job that sends a refund, outside of any transaction and never twice.

A worker claims the refund, and marks it as perhaps sent, before it asks the provider. If it dies in
between, or no answer comes, the next worker first asks what became of it. It sends again only what
the provider does not know, under the same idempotency key, and only while the provider keeps keys.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from billing.payments.entries import lock_balance
from billing.payments.models import Refund
from billing.payments.movements import refund_moves
from billing.payments.paying import ASKED_AFTER_SECONDS
from billing.payments.providers.interface import (
    Outcome,
    OutcomeUnclear,
    Provider,
    ProviderAway,
    RefundRequest,
)
from billing.payments.providers.registry import provider_named
from shop.core import jobs

logger = structlog.get_logger(__name__)

CLAIM_SECONDS = 120.0
FIRST_RETRY_SECONDS = 10.0
KEYS_KEPT = timedelta(hours=20)
"""Stripe keeps an idempotency key for 24 hours at least."""
DUE = jobs.due(ASKED_AFTER_SECONDS)
UNSETTLED = (Refund.Status.REQUESTED, Refund.Status.UNKNOWN, Refund.Status.SUBMITTED)


@dataclass(frozen=True, slots=True)
class _Claimed:
    refund: Refund
    perhaps_sent: bool


def refund_send(refund_id: UUID) -> None:
    """Send a refund, or learn what became of it. Does nothing if it is not due or is settled."""
    claimed = _claim(refund_id)
    if claimed is None:
        return
    refund = claimed.refund
    try:
        outcome = _ask(provider_named(refund.provider), claimed)
    except ProviderAway:
        outcome = None
    except OutcomeUnclear as error:
        logger.warning("refund.unclear", refund_id=str(refund_id), error=str(error)[:200])
        outcome = Outcome("unknown")
    except ValueError as error:
        # The provider has no such amount.
        outcome = Outcome("failed", failure=str(error)[:200])
    _settle(refund, outcome)


def _claim(refund_id: UUID) -> _Claimed | None:
    with transaction.atomic():
        refund = (
            Refund.objects.select_for_update(of=("self",))
            .select_related("payment")
            .filter(DUE, pk=refund_id, status__in=UNSETTLED)
            .first()
        )
        if refund is None:
            return None
        perhaps_sent = refund.sent_at is not None
        Refund.objects.filter(pk=refund_id).update(
            sent_at=Coalesce(F("sent_at"), Now()),
            claimed_at=Now(),
            attempts=F("attempts") + 1,
            # Nobody else takes it before this worker may be thought dead.
            next_attempt_at=jobs.from_now(CLAIM_SECONDS),
        )
    refund.attempts += 1
    return _Claimed(refund, perhaps_sent)


def _ask(provider: Provider, claimed: _Claimed) -> Outcome | None:
    """Return what the provider says; ``None`` for nothing new."""
    refund = claimed.refund
    request = RefundRequest(
        id=refund.pk,
        payment_id=refund.payment_id,
        payment_external_id=refund.payment.external_id,
        currency=refund.currency,
        amount=refund.amount,
        external_id=refund.external_id,
    )
    # What the provider has told of is sent, whoever sent it.
    if not claimed.perhaps_sent and not refund.external_id:
        return provider.refund(request)
    found = provider.find_refund(request)
    if found is not None or refund.external_id:
        return found
    if refund.sent_at is not None and timezone.now() > refund.sent_at + KEYS_KEPT:
        return Outcome("failed", failure="The provider has no such refund.")
    return provider.refund(request)


def _settle(refund: Refund, outcome: Outcome | None) -> None:
    with transaction.atomic():
        lock_balance(refund.document_id)
        attempts = refund.attempts
        refund.refresh_from_db()
        if outcome is not None:
            if outcome.external_id and not refund.external_id:
                refund.external_id = outcome.external_id
                refund.save(update_fields=["external_id"])
            refund_moves(refund, outcome.status, failure=outcome.failure)
        wait = jobs.backoff(FIRST_RETRY_SECONDS, attempts)
        if refund.status == Refund.Status.SUBMITTED:
            wait = ASKED_AFTER_SECONDS
        Refund.objects.filter(pk=refund.pk).update(
            claimed_at=None, next_attempt_at=jobs.from_now(wait)
        )
