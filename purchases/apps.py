"""The declarations of the ledger."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class PurchasesConfig(ShopAppConfig):
    """The ledger of purchases."""

    name = "purchases"
    personal_data = "purchases.columns.TABLES"
    api_urls = "purchases.urls"
    classic_urls = "purchases.classic_urls"
    page_urls = "purchases.page_urls"
    append_only = ("Purchase",)
    relay_rights = {"purchases_purchase": "SELECT"}
    audit_actions = ("purchases.audit.ACTIONS",)
    event_types = "purchases.events"
    error_dialects = ("purchases.classic.DIALECT",)
    ledger_checks = ("purchases.ledger_checks.CHECKS",)
    searches = ("purchases.searches.find_purchases", "purchases.searches.find_customers")
    navigation = (
        NavigationEntry(_("Shop"), "shop", place=10, icon="store"),
        NavigationEntry(
            _("Purchases"),
            "purchase_list",
            place=20,
            shown_to=allowed(Permission.PURCHASES_READ),
            icon="list",
        ),
        NavigationEntry(
            _("Customers"),
            "customer_list",
            place=30,
            shown_to=allowed(Permission.PURCHASES_READ_ALL, Permission.ACCOUNTS_READ_ALL),
            icon="users",
        ),
        NavigationEntry(
            _("Live"),
            "live",
            place=40,
            shown_to=allowed(Permission.PURCHASES_READ_ALL),
            icon="activity",
        ),
    )
