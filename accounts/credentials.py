"""The account of a name and a password: the one way in, for pages and programs."""

from functools import lru_cache

from django.contrib.auth import user_logged_in
from django.contrib.auth.hashers import check_password, get_hasher, make_password
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.attempts import Attempt
from accounts.models import User
from accounts.names import KEY
from shop.core.errors import ApplicationError

LOGIN_MAX_LENGTH = 254
"""No username and no e-mail address is longer."""


class InvalidCredentials(ApplicationError):
    """Name and password do not belong together. The answer does not tell which is wrong."""

    status = 401
    code = "invalid_credentials"
    detail = "Username or password is wrong."


# PostgreSQL finds the account, so it also decides which names are the same. A proved address comes
# before a username that looks like it. An unproved address comes last, the oldest first.
_FIND = f"""
SELECT name.key, COALESCE(
    (SELECT user_id FROM account_emailaddress WHERE email = name.lower AND verified),
    (SELECT id FROM accounts_user WHERE {KEY.format("username")} = name.key
     ORDER BY username <> name.written, namesake LIMIT 1),
    (SELECT min(claim.user_id) FROM account_emailaddress AS claim
     WHERE claim.email = name.lower AND NOT EXISTS (
         SELECT FROM account_emailaddress AS other
         WHERE other.user_id = claim.user_id AND other.id <> claim.id)),
    (SELECT min(account.id) FROM accounts_user AS account
     WHERE account.email = name.lower AND account.email <> '' AND NOT EXISTS (
         SELECT FROM account_emailaddress AS other WHERE other.user_id = account.id)))
FROM (
    SELECT {KEY.format("given.login")}, given.login, lower(given.login)
    FROM (SELECT normalize(%s::text, NFC)) AS given (login)
) AS name (key, written, lower)
"""  # noqa: S608


def account_find(login: str) -> tuple[User | None, str]:
    """Return the account of a username or an e-mail address, and the key of its attempts.

    All spellings that find an account have the account's key. A name of no account has a key of its
    own, so that attempts do not tell the two apart.
    """
    # Text that PostgreSQL refuses, and text too long for a name, belongs to no account.
    text = login[: LOGIN_MAX_LENGTH + 1].encode("utf-8", "replace").decode().replace("\0", "?")
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [text])
        name, pk = cursor.fetchone()
    user = User.objects.filter(pk=pk).first() if pk is not None else None
    return user, _key(user) if user is not None else f"name:{name}"


def _key(user: User) -> str:
    return f"account:{user.pk}"


def account_authenticate(*, request: HttpRequest, login: str, password: str) -> User:
    """Return the account that a name and a password belong to.

    Raise ``InvalidCredentials`` for a wrong password, an unknown name and a deactivated account. It
    is the same for all three, and takes about as long. Raise ``TooManyAttempts`` after too many.
    """
    user, key = account_find(login)
    attempt = Attempt(request, key)
    attempt.begin()
    if not _matches(user, password) or user is None or not user.is_active:
        raise InvalidCredentials()
    attempt.succeed()
    return user


def password_confirm(*, request: HttpRequest, user: User, password: str) -> bool:
    """Return whether the password is that of the signed-in user. Raise ``TooManyAttempts``."""
    attempt = Attempt(request, _key(user))
    attempt.begin()
    if not _matches(user, password):
        return False
    attempt.succeed()
    return True


@receiver(user_logged_in)
def _remember_address(request: HttpRequest | None, user: User, **kwargs: object) -> None:
    """Remember where somebody has signed in from.

    A right password alone does not do, because a second factor may be missing.
    """
    if request is not None:
        Attempt(request, _key(user)).remember()


def _matches(user: User | None, password: str) -> bool:
    if user is not None and user.has_usable_password():
        return user.check_password(password)
    check_password(password, _nobodys(get_hasher().algorithm))
    return False


@lru_cache(maxsize=4)
def _nobodys(algorithm: str) -> str:
    """Return a hash to compare with if there is no account, so that this takes as long."""
    return make_password("nobody's password", hasher=algorithm)
