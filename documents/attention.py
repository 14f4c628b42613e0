"""Documents that wait for a worker longer than they should."""

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission, allows
from documents.models import Document
from shop.core.jobs import from_now
from shop.core.panels import Attention

LATE_SECONDS = 120
COUNTED = 1000


def find_attention(caller: Caller) -> list[Attention]:
    """Return how many documents no worker has taken in time, for who keeps the site running."""
    if not allows(caller.permissions, Permission.LOGS_READ_ALL):
        return []
    # The condition is that of the partial index.
    late = Document.objects.filter(
        ~Q(status__in=["sent", "failed"]), next_attempt_at__lt=from_now(-LATE_SECONDS)
    ).exclude(status=Document.Status.RENDERING)
    count = late.order_by()[:COUNTED].count()
    return [Attention(_("Reports that wait for a worker"), count, reverse("readyz"))]
