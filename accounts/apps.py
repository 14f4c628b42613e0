from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, sign-in, tokens, and who may see what."""

    name = "accounts"
