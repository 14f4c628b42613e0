"""Housekeeping of accounts."""

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import AuthToken

from accounts.models import LiveTicket


@shared_task(name="accounts.purge")
def purge() -> None:
    """Delete tokens, sessions and tickets that have ended."""
    now = timezone.now()
    AuthToken.objects.filter(expiry__lt=now).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    LiveTicket.objects.filter(expires_at__lt=now).delete()
