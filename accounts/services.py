"""Writes to accounts: sign-up, tokens, and customers that a client program names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from knox.models import AuthToken

from accounts.models import USERNAME_MAX_LENGTH, User
from shop.errors import ApplicationError, Conflict, FieldError, ValidationFailed

logger = structlog.get_logger(__name__)


class InvalidCredentials(ApplicationError):
    """Username and password do not belong together; which of them is wrong is not told."""

    status = 401
    code = "invalid_credentials"
    detail = "Username or password is wrong."


class UseridConflict(Conflict):
    """The userid belongs to another username, or the username to another userid."""

    code = "userid_conflict"
    attr = "userid"


@dataclass(frozen=True, slots=True)
class Customer:
    """The account that a purchase belongs to."""

    id: int
    username: str
    userid: str


_TAKEN_USERNAME = FieldError("taken", "A user with that username already exists.", "username")
_TAKEN_EMAIL = FieldError("taken", "A user with that e-mail address already exists.", "email")


def account_create(*, username: str, email: str, password: str, request: HttpRequest) -> User:
    """Create an account, then mail a link that verifies its address.

    Raises ``ValidationFailed`` with every field that is malformed, taken or weak.
    """
    user = User(username=username, email=email)
    errors: list[FieldError] = []
    if len(username) > USERNAME_MAX_LENGTH:
        errors.append(FieldError("max_length", "The username is too long.", "username"))
    try:
        for validator in User._meta.get_field("username").validators:
            validator(username)
    except ValidationError as error:
        errors.append(FieldError("invalid", error.messages[0], "username"))
    try:
        validate_email(email)
        if len(email) > 254:
            raise ValidationError("The address is too long.")
    except ValidationError as error:
        errors.append(FieldError("invalid", error.messages[0], "email"))
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors += [
            FieldError(each.code or "invalid", each.messages[0], "password")
            for each in error.error_list
        ]
    if not errors:
        if User.objects.filter(username__iexact=username).exists():
            errors.append(_TAKEN_USERNAME)
        if EmailAddress.objects.filter(email__iexact=email).exists():
            errors.append(_TAKEN_EMAIL)
    if errors:
        raise ValidationFailed(errors)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            address = EmailAddress.objects.create(
                user=user, email=email.lower(), primary=True, verified=False
            )
    except IntegrityError:
        # Somebody took one of them between the look and the insert.
        raise ValidationFailed([_TAKEN_USERNAME]) from None
    try:
        send_verification_email_to_address(request, address, signup=True)
    except OSError as error:
        # The account exists; the mail can be asked for again on the pages.
        logger.warning("account.verification_mail_failed", user_id=user.pk, reason=str(error))
    return user


def token_create(
    *, username: str, password: str, request: HttpRequest
) -> tuple[str, datetime | None]:
    """Return a new token, shown only now, and when it ends; ``InvalidCredentials`` otherwise."""
    user = authenticate(request, username=username, password=password)
    if user is None:
        raise InvalidCredentials()
    instance, token = AuthToken.objects.create(user=user)
    return token, instance.expiry


Names = tuple[str | None, str | None]


def _find(userids: list[str], usernames: list[str]) -> list[Customer]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, username, userid FROM accounts_user WHERE userid = ANY(%s)"
            " UNION SELECT id, username, userid FROM accounts_user WHERE lower(username) = ANY(%s)",
            [userids, usernames],
        )
        return [Customer(*row) for row in cursor.fetchall()]


def _create(names: list[tuple[str, str]]) -> None:
    # Sorted, so that two batches that create the same customers wait instead of deadlocking.
    # "!" is Django's mark of a password that nothing matches.
    names = sorted(names)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_user (password, is_superuser, username, userid, email, is_staff,"
            " is_active, is_client, date_joined)"
            " SELECT '!', false, name.username, name.userid, '', false, true, false, now()"
            " FROM unnest(%s::text[], %s::text[]) AS name (userid, username)"
            " ON CONFLICT DO NOTHING",
            [[userid for userid, _ in names], [username for _, username in names]],
        )


def customers_resolve(names: Sequence[Names]) -> list[Customer | ApplicationError]:
    """Return the account of each ``(userid, username)``, or the error that it names nobody.

    At least one of the two is given. A pair not seen before becomes a customer account that
    cannot sign in; with only a userid, that is its username too. Userids are compared exactly,
    usernames without regard to case. Call it inside the transaction that needs the customers.
    """
    wanted = set(names)
    known = _index(_find(*_keys(wanted)))
    unseen = {
        (userid, username or userid)
        for userid, username in wanted
        if userid is not None
        and userid not in known[0]
        and (username or userid).lower() not in known[1]
    }
    if unseen:
        _create(list(unseen))
        known = _index(_find(*_keys(wanted)))
    answers = {pair: _choose(pair, *known) for pair in wanted}
    return [answers[pair] for pair in names]


def _keys(names: set[Names]) -> tuple[list[str], list[str]]:
    userids = [userid for userid, _ in names if userid is not None]
    usernames = [(username or userid or "").lower() for userid, username in names]
    return userids, usernames


def _index(customers: list[Customer]) -> tuple[dict[str, Customer], dict[str, Customer]]:
    return (
        {customer.userid: customer for customer in customers},
        {customer.username.lower(): customer for customer in customers},
    )


def _choose(
    names: Names, by_userid: dict[str, Customer], by_username: dict[str, Customer]
) -> Customer | ApplicationError:
    userid, username = names
    if userid is None:
        customer = by_username.get((username or "").lower())
        if customer is None:
            detail = "There is no such customer; give its userid too to make one."
            return ValidationFailed([FieldError("unknown_customer", detail, "username")])
        return customer
    customer = by_userid.get(userid)
    if customer is None:
        return UseridConflict("This username belongs to another userid.")
    if username is not None and customer.username.lower() != username.lower():
        return UseridConflict("This userid belongs to another username.")
    return customer
