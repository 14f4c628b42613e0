"""Housekeeping of webhooks."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from webhooks.models import Attempt, Delivery
from webhooks.site_settings import WEBHOOKS_KEEP_DAYS

logger = structlog.get_logger(__name__)

BATCH = 5000


@shared_task(name="webhooks.purge")
def purge() -> None:
    """Delete deliveries that ended long ago, with their attempts.

    A failed live delivery stays, because it is tried anew, under its id, once its endpoint is
    enabled.
    """
    ended = timezone.now() - timedelta(days=WEBHOOKS_KEEP_DAYS.value)
    old = Delivery.objects.filter(
        Q(state=Delivery.State.DELIVERED)
        | Q(state=Delivery.State.FAILED) & ~Q(kind=Delivery.Kind.LIVE),
        finished_at__lt=ended,
    ).order_by("pk")
    count = 0
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        Attempt.objects.filter(delivery__in=keys).delete()
        Delivery.objects.filter(pk__in=keys).delete()
        count += len(keys)
    logger.info("webhooks.purged", deliveries=count)
