"""The declarations of the till."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class TillConfig(ShopAppConfig):
    """The page for who records purchases all day, also without a connection."""

    name = "till"
    page_urls = "till.page_urls"
    navigation = (
        NavigationEntry(
            _("Till"),
            "till",
            place=15,
            shown_to=allowed(Permission.PURCHASES_WRITE_ALL),
            group="sell",
            icon="calculator",
        ),
    )
