"""Mails about accounts that failed or wait too long."""

from datetime import timedelta

from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.models import OutgoingMail
from accounts.permissions import Permission, allows
from shop.core.jobs import from_now
from shop.core.panels import Attention

RECENT = timedelta(days=1)
LATE_SECONDS = 300
COUNTED = 1000
_UNFINISHED = (OutgoingMail.Status.QUEUED, OutgoingMail.Status.SENDING)


def find_attention(caller: Caller) -> list[Attention]:
    """Return how many mails about accounts did not go out, for who administers accounts."""
    if not allows(caller.permissions, Permission.ACCOUNTS_ADMIN):
        return []
    mails = OutgoingMail.objects.order_by()
    failed = mails.filter(status=OutgoingMail.Status.FAILED, finished_at__gt=Now() - RECENT)
    # A mail that the server has refused for now waits until its next attempt, and counts as well.
    late = mails.filter(status__in=_UNFINISHED, created_at__lt=from_now(-LATE_SECONDS))
    url = reverse("admin:accounts_outgoingmail_changelist")
    return [
        Attention(_("Mails about accounts that failed today"), failed[:COUNTED].count(), url),
        Attention(_("Mails about accounts that wait"), late[:COUNTED].count(), url),
    ]
