"""Webhooks whose receivers are gone or fail, on the dashboard."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission, allows
from shop.core.health import Unhealthy
from shop.core.panels import Attention
from webhooks.health import check_webhooks
from webhooks.selectors import troubled_endpoints

COUNTED = 100


def find_attention(caller: Caller) -> list[Attention]:
    """Return how many webhooks deliver nothing, for who sees all of them."""
    if not allows(caller.permissions, Permission.WEBHOOKS_READ_ALL):
        return []
    count = troubled_endpoints().order_by()[:COUNTED].count()
    found = [Attention(_("Webhooks that deliver nothing"), count, reverse("webhook_list"))]
    try:
        check_webhooks()
    except Unhealthy:
        found.append(Attention(_("Webhooks are not delivered"), 1, reverse("readyz")))
    return found
