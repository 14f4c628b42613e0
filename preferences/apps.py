"""The declarations of settings at run time."""

from shop.core.apps import ShopAppConfig


class PreferencesConfig(ShopAppConfig):
    """Settings at run time: what a site changes without a restart."""

    name = "preferences"
    api_urls = "preferences.urls"
    page_urls = "preferences.page_urls"
    append_only = ("Change",)
    relay_rights = {"preferences_change": "SELECT"}
    process_loops = ("preferences.snapshot.refresh",)
    personal_data = "preferences.columns.TABLES"
    audit_actions = ("preferences.actions.ACTIONS",)
