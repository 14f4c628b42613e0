"""A relay or a follower that is late."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission, allows
from events.health import check_relay, waiting
from events.lag import lags
from shop.core.health import Unhealthy
from shop.core.panels import Attention


def find_attention(caller: Caller) -> list[Attention]:
    """Return what lags behind the log, for who keeps the site running."""
    if not allows(caller.permissions, Permission.LOGS_READ_ALL):
        return []
    found = []
    try:
        check_relay()
    except Unhealthy:
        # No relay is a problem even before the next purchase.
        count = max(1, waiting()[0])
        found.append(Attention(_("The live feed is late"), count, reverse("readyz")))
    stuck = sum(lag.is_stuck for lag in lags())
    found.append(Attention(_("Followers of the log that are stuck"), stuck, reverse("readyz")))
    return found
