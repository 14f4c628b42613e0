from allauth.account.apps import AccountConfig as AllauthAccountConfig
from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, sign-in, tokens, and who may see what."""

    name = "accounts"
    verbose_name = "Accounts"
    default = True


class AddressesConfig(AllauthAccountConfig):
    """allauth's part, by what the admin shows of it."""

    verbose_name = "E-mail addresses"


class TokensConfig(AppConfig):
    """knox, by what the admin shows of it."""

    name = "knox"
    verbose_name = "API tokens"
