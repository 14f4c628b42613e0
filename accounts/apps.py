"""What accounts add to the site, and the names of third-party apps in the admin."""

from allauth.account.apps import AccountConfig as AllauthAccountConfig
from django.apps import AppConfig

from shop.core.apps import ShopAppConfig


class AccountsConfig(ShopAppConfig):
    """Users, sign-in, tokens, and who may see what."""

    name = "accounts"
    verbose_name = "Accounts"
    api_urls = "accounts.urls"
    page_urls = "accounts.page_urls"
    attention = ("accounts.attention.find_attention",)
    beat = {
        "sweep-mails": {
            "task": "accounts.sweep_mails",
            "schedule": 15.0,
            "options": {"expires": 15},
        },
        "purge-expired": {
            "task": "accounts.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }

    def ready(self) -> None:
        from accounts import schema  # noqa: F401


class AddressesConfig(AllauthAccountConfig):
    """allauth, as the admin names it."""

    verbose_name = "E-mail addresses"


class TokensConfig(AppConfig):
    """knox, as the admin names it."""

    name = "knox"
    verbose_name = "API tokens"
