"""Reports that wait for somebody."""

from datetime import timedelta

from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission, allows
from reports.models import Report
from shop.core.panels import Attention

RECENT = timedelta(days=7)
COUNTED = 100


def find_attention(caller: Caller) -> list[Attention]:
    """Return how many of the reports of a week have failed, for who sees all reports."""
    if not allows(caller.permissions, Permission.REPORTS_READ_ALL):
        return []
    failed = Report.objects.filter(status=Report.Status.FAILED, created_at__gt=Now() - RECENT)
    count = failed.order_by()[:COUNTED].count()
    return [Attention(_("Reports that failed this week"), count, reverse("report_list"))]
