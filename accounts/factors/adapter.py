"""What allauth's second factors do differently here."""

from typing import NoReturn

from allauth.mfa.adapter import DefaultMFAAdapter


class FactorsAdapter(DefaultMFAAdapter):
    """``accounts.factors.totp`` seals the secrets; allauth, which would bind them to nobody, does
    not touch them.
    """

    def encrypt(self, text: str) -> NoReturn:
        raise NotImplementedError

    def decrypt(self, encrypted_text: str) -> NoReturn:
        raise NotImplementedError
