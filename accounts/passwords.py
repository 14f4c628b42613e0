"""How passwords are hashed, and what a new one ends."""

import unicodedata
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from accounts.sessions.ending import end_tokens
from audit.context import actor_id
from audit.services import record

NORMALIZED_MAX_LENGTH = 1024
"""Longer passwords are hashed without normalisation, whose time grows as their square."""


def normalized(password: str) -> str:
    """Return a password as it is hashed, in Unicode's form NFKC (RFC 8265, section 4.2, and NIST).

    On some keyboards ``é`` is one character, on others two.
    """
    if len(password) > NORMALIZED_MAX_LENGTH:
        return password
    return unicodedata.normalize("NFKC", password)


class _Normalizing:
    """Hashes the normal form. A hash of another form stays good for that form."""

    def encode(self, password: str, *args: object) -> str:
        encoded: str = super().encode(normalized(password), *args)  # type: ignore[misc]
        return encoded

    def verify(self, password: str, encoded: str) -> bool:
        form = normalized(password)
        verify = super().verify  # type: ignore[misc]
        return bool(verify(form, encoded) or (form != password and verify(password, encoded)))


class Argon2(_Normalizing, Argon2PasswordHasher):
    """The hasher of new passwords."""

    memory_cost = settings.PASSWORD_HASH_KIB


class PBKDF2(_Normalizing, PBKDF2PasswordHasher):
    """A hasher of older passwords."""


class TokensEnd:
    """A password validator that refuses nothing, because Django tells validators of every change.

    It revokes the account's tokens and JWT grants, whoever changes the password: its owner, a
    reset, staff in the admin, or ``manage.py changepassword``. Sessions end by themselves, because
    they hold a digest of the password. API keys go on, because programs use them.
    """

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Accept every password."""

    def password_changed(self, password: str, user: Any = None) -> None:
        """Revoke the account's tokens and JWT grants, and record the change.

        The first password of a new account changes nothing.
        """
        if user is None or user.pk is None or user.__dict__.pop("is_new", False):
            return
        with transaction.atomic():
            end_tokens(user)
            record(
                "password.changed",
                object=f"account:{user.pk}",
                actor_id=actor_id(),
                after={"usable": user.has_usable_password()},
            )

    def get_help_text(self) -> str:
        """Return what a change does, for the list of rules on the pages."""
        return "A new password ends all other sessions and all API tokens of the account."
