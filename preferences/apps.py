"""The declarations of settings at run time."""

from shop.core.apps import ShopAppConfig


class PreferencesConfig(ShopAppConfig):
    """Settings at run time: what a site changes without a restart."""

    name = "preferences"
