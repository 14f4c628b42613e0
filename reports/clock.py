"""Moments of a report's life, by the database's clock.

It is the only clock, so that workers whose clocks differ agree on what is due. The database's clock
can be set back, too. So a due time further ahead than the longest delay that is ever scheduled is
treated as past.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

LONGEST_DELAY_SECONDS = 1800


def from_now(seconds: float) -> Combinable:
    """Return the moment that many seconds ahead."""
    return Now() + timedelta(seconds=seconds)


def due() -> Q:
    """Return the condition that a report's next attempt is due."""
    ahead = max(
        LONGEST_DELAY_SECONDS, settings.REPORTS_CLAIM_SECONDS, settings.REPORTS_RETRY_SECONDS
    )
    return Q(next_attempt_at__lte=Now()) | Q(next_attempt_at__gt=from_now(ahead))


def stale(seconds: float) -> Q:
    """Return the condition that a claim was not renewed for that many seconds."""
    return Q(claimed_at__lt=from_now(-seconds)) | Q(claimed_at__gt=from_now(seconds))
