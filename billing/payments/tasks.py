"""The workers' tasks of payments."""

from uuid import UUID

import structlog
from celery import shared_task

from billing.payments.bank_statements.importing import credits_purge
from billing.payments.paying import payment_close
from billing.payments.refund_job import refund_send
from billing.payments.sweep import events_purge, payments_sweep

logger = structlog.get_logger(__name__)


@shared_task(name="billing.refund")
def send_refund(*, refund_id: str) -> None:
    """Send a refund, or learn what became of it. The task can run twice."""
    refund_send(UUID(refund_id))


@shared_task(name="billing.payment_close")
def close_payment(*, payment_id: str) -> None:
    """Close a canceled payment at its provider."""
    payment_close(UUID(payment_id))


@shared_task(name="billing.payments_sweep")
def sweep() -> None:
    """Find what was lost, and ask the providers about what they say nothing of."""
    payments_sweep()


@shared_task(name="billing.payments_purge")
def purge() -> None:
    """Delete the providers' messages of long ago, and who sent money that nobody assigned."""
    logger.info("payments.purged", events=events_purge(), credits=credits_purge())
