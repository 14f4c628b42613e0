"""How passwords are hashed, and what a new one means for what the old one was good for."""

import unicodedata

from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from knox.models import AuthToken

NORMALIZED_MAX_LENGTH = 1024
"""Longer ones are hashed as they are: putting marks in order takes time that grows as a square."""


def normalized(password: str) -> str:
    """Return a password as it is hashed, in Unicode's form NFKC (RFC 8265, section 4.2, and NIST).

    Keyboards differ in whether ``é`` is one character or two.
    """
    if len(password) > NORMALIZED_MAX_LENGTH:
        return password
    return unicodedata.normalize("NFKC", password)


class _Normalizing:
    """Hashes the normal form; a hash that was made of another form stays good for that form."""

    def encode(self, password: str, *args: object) -> str:
        encoded: str = super().encode(normalized(password), *args)  # type: ignore[misc]
        return encoded

    def verify(self, password: str, encoded: str) -> bool:
        form = normalized(password)
        verify = super().verify  # type: ignore[misc]
        return bool(verify(form, encoded) or (form != password and verify(password, encoded)))


class Argon2(_Normalizing, Argon2PasswordHasher):
    """What passwords are hashed with."""


class PBKDF2(_Normalizing, PBKDF2PasswordHasher):
    """What older passwords may be hashed with."""


class TokensEnd:
    """A password validator that refuses nothing: Django tells validators of every change.

    It revokes the account's API tokens, whoever changes the password and wherever: its owner, by a
    reset, staff in the admin, or ``manage.py changepassword``. Sessions end by themselves, because
    they hold a digest of the password.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Accept every password."""

    def password_changed(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Revoke the account's tokens."""
        if user is not None and user.pk is not None:
            AuthToken.objects.filter(user_id=user.pk).delete()

    def get_help_text(self) -> str:
        """Return what a change does, for the list of rules on the pages."""
        return "A new password ends all other sessions and all API tokens of the account."
