"""The declarations of people."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class PeopleConfig(ShopAppConfig):
    """Roles, teams and invitations: who may do what in the shop."""

    name = "people"
    verbose_name = "People"
    personal_data = "people.columns.TABLES"
    audit_actions = ("people.actions.ACTIONS",)
    api_urls = "people.urls"
    page_urls = "people.page_urls"
    role_names = ("people.selectors.custom_role_names",)
    customer_panels = ("people.panels.account_panel",)
    navigation = (
        NavigationEntry(
            _("People"),
            "people",
            place=40,
            shown_to=allowed(Permission.ACCOUNTS_READ_ALL, Permission.ACCOUNTS_ADMIN),
            group="run",
            icon="users",
        ),
    )
    beat = {
        "purge-people": {
            "task": "people.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }
