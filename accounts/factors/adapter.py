"""What allauth's second factors do differently here."""

from typing import Any, NoReturn

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings


class FactorsAdapter(DefaultMFAAdapter):
    """allauth's login stage uses it.

    ``accounts.factors.totp`` seals the secrets. allauth, which would bind them to no account, never
    touches them.
    """

    def get_totp_issuer(self) -> str:
        """Return the name of the site in an authenticator app."""
        return settings.SITE_NAME

    def get_totp_label(self, user: Any) -> str:
        """Return the name of the account in an authenticator app."""
        return str(user.username)

    def encrypt(self, text: str) -> NoReturn:
        raise NotImplementedError

    def decrypt(self, encrypted_text: str) -> NoReturn:
        raise NotImplementedError
