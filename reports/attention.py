"""Reports that failed lately: beside the navigation entry, and on the dashboard."""

from datetime import timedelta

from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission, allows
from reports.models import Report
from shop.core.panels import Attention

RECENT = timedelta(days=7)
COUNTED = 100


def count_for(user: User) -> int:
    """Return how many reports that the account may see failed within a week."""
    return _count(Caller.of(user))


def find_attention(caller: Caller) -> list[Attention]:
    """Return how many of the reports of a week have failed, for who sees all reports."""
    if not allows(caller.permissions, Permission.REPORTS_READ_ALL):
        return []
    url = f"{reverse('report_list')}?status=failed"
    return [Attention(_("Reports that failed this week"), _count(caller), url)]


def _count(caller: Caller) -> int:
    failed = Report.objects.filter(status=Report.Status.FAILED, created_at__gt=Now() - RECENT)
    if not allows(caller.permissions, Permission.REPORTS_READ_ALL):
        failed = failed.filter(requested_by_id=caller.id)
    return failed.order_by()[:COUNTED].count()
