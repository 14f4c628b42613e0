"""The declarations of settings at run time."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class PreferencesConfig(ShopAppConfig):
    """Settings at run time: what a site changes without a restart."""

    name = "preferences"
    api_urls = "preferences.urls"
    page_urls = "preferences.page_urls"
    works_read_only = ("api_settings", "api_settings_restore", "settings", "settings_restore")
    navigation = (
        NavigationEntry(
            _("Settings"),
            "settings",
            place=30,
            shown_to=allowed(Permission.SETTINGS_READ_ALL),
            group="run",
            icon="settings",
        ),
    )
    append_only = ("Change",)
    relay_rights = {"preferences_change": "SELECT"}
    process_loops = ("preferences.snapshot.refresh",)
    personal_data = "preferences.columns.TABLES"
    audit_actions = ("preferences.actions.ACTIONS",)
