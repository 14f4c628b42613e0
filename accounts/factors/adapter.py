"""What allauth's second factors do differently here."""

from typing import Any, NoReturn

from allauth.mfa.adapter import DefaultMFAAdapter

from shop.core.site_settings.general import SITE_NAME

_CLOSED = "accounts.factors.totp seals secrets, each bound to its account."


class FactorsAdapter(DefaultMFAAdapter):
    """allauth's login stage uses it.

    ``accounts.factors.totp`` seals the secrets, bound to their accounts. allauth would bind them to
    none, so its ways to seal are closed.
    """

    def get_totp_issuer(self) -> str:
        """Return the name of the site in an authenticator app."""
        return SITE_NAME.value

    def get_totp_label(self, user: Any) -> str:
        """Return the name of the account in an authenticator app."""
        return str(user.username)

    def encrypt(self, text: str) -> NoReturn:
        """Raise, because no secret may be sealed without its account."""
        raise RuntimeError(_CLOSED)

    def decrypt(self, encrypted_text: str) -> NoReturn:
        """Raise, because no secret was sealed here."""
        raise RuntimeError(_CLOSED)
