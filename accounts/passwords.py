"""What a new password means for what the old one was good for."""

from django.contrib.auth.models import AbstractBaseUser
from knox.models import AuthToken


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
        """Return nothing: there is no rule to explain."""
        return ""
