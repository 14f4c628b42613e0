"""Writes to accounts: sign-up, tokens, and customers that a client program names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import structlog
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from django.conf import settings
from django.contrib.auth import user_logged_in
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Field
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from accounts.credentials import account_authenticate
from accounts.emails import check_email, email_taken, lock_email
from accounts.erased import erased_places
from accounts.factors.codes import check_code
from accounts.models import Token, TokenKind, User
from accounts.names import KEY, SYSTEM, NewUserid, NewUsername, fold
from accounts.sessions.ending import hold_credentials
from audit.services import record
from shop.core.errors import ApplicationError, Conflict, FieldError, ValidationFailed

logger = structlog.get_logger(__name__)


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


class CustomerErased(Conflict):
    """The name belonged to somebody who was erased. Who names it learns of that."""

    code = "customer_erased"
    detail = gettext_noop("This customer was erased at their request. Delete your copy, too.")


_TAKEN_USERNAME = FieldError("taken", "A user with that username already exists.", "username")
_TAKEN_EMAIL = FieldError("taken", "A user with that e-mail address already exists.", "email")


def username_taken(username: str) -> bool:
    """Return whether an account has this username, or one that is the same.

    The name of somebody who was erased lately counts as taken, too.
    """
    return User.objects.named(username).exists() or bool(erased_places([(username, username)]))


def account_create(*, username: str, email: str, password: str, request: HttpRequest) -> User:
    """Create an account, and queue the mail with a link that verifies its address.

    Raise ``ValidationFailed``, which names everything malformed, taken (code ``taken``) or weak.
    """
    user = User(username=User.normalize_username(username), email=email.lower())
    if errors := [*_field_errors(user), *_password_errors(password, user)]:
        raise ValidationFailed(errors)
    user.set_password(password)
    try:
        with transaction.atomic(durable=True):
            lock_email(user.email)
            if taken := _taken_errors(user):
                raise ValidationFailed(taken)
            user.save(force_insert=True)
            address = EmailAddress.objects.create(
                user=user, email=user.email, primary=True, verified=False
            )
            with request_context(request):
                address.send_confirmation(request, signup=True)
    except IntegrityError:
        # Another request took the username between the look-up and the insert.
        raise ValidationFailed([_TAKEN_USERNAME]) from None
    logger.info("account.created", user_id=user.pk)
    return user


def _field_errors(user: User) -> list[FieldError]:
    errors = []
    for name in ("username", "email"):
        field = cast("Field[str, str]", User._meta.get_field(name))
        value = getattr(user, name)
        try:
            if not value:
                raise ValidationError("This field may not be blank.", code="blank")
            field.run_validators(value)
            if name == "email":
                check_email(value)
        except ValidationError as error:
            # One error for each field is enough, because further ones say nearly the same.
            first = error.error_list[0]
            errors.append(FieldError(first.code or "invalid", first.messages[0], name))
    return errors or _taken_errors(user)


def _password_errors(password: str, user: User) -> list[FieldError]:
    try:
        validate_password(password, user)
    except ValidationError as error:
        return [
            FieldError(each.code or "invalid", each.messages[0], "password")
            for each in error.error_list
        ]
    return []


def _taken_errors(user: User) -> list[FieldError]:
    errors = []
    if username_taken(user.username):
        errors.append(_TAKEN_USERNAME)
    if email_taken(user.email):
        errors.append(_TAKEN_EMAIL)
    return errors


def token_create(
    *, username: str, password: str, request: HttpRequest, code: str = ""
) -> tuple[str, datetime | None]:
    """Return a new token, which is shown only now, and the time of its end.

    An account keeps its newest ``TOKENS_PER_ACCOUNT``; older ones end. Raise
    ``InvalidCredentials``, ``MfaRequired``, ``TooManyAttempts`` and ``SignInEnded``.
    """
    user = account_authenticate(request=request, login=username, password=password)
    kind = check_code(user, code, request)
    with transaction.atomic():
        hold_credentials(user)
        instance, token = Token.objects.create(user=user, methods=f"password {kind}".rstrip())
        tokens_keep_newest(user, TokenKind.SIGN_IN, settings.TOKENS_PER_ACCOUNT)
        record(
            "account.signed_in",
            object=f"account:{user.pk}",
            actor_id=user.pk,
            after={"credential": "token", "id": instance.id},
        )
    user_logged_in.send(sender=User, request=request, user=user, credential="token")
    return token, instance.expiry


def token_end(token: Token) -> None:
    """Revoke the token, as its account has asked with it."""
    with transaction.atomic():
        record(
            "token.ended",
            object=f"{TokenKind(token.kind).label}:{token.id}",
            actor_id=token.user_id,
        )
        token.delete()


def tokens_keep_newest(user: User, kind: TokenKind, amount: int) -> None:
    """End the account's credentials of a kind, but for the newest ones."""
    rows = Token.objects.filter(user=user, kind=kind)
    kept = rows.order_by("-created", "-digest").values("digest")[:amount]
    rows.exclude(digest__in=kept).delete()


Names = tuple[str | None, str | None]
_Match = tuple[Customer | None, Customer | None]

# PostgreSQL compares, by the key of the unique index.
_FIND = f"""
SELECT by_userid.id, by_userid.username, by_userid.userid,
       by_username.id, by_username.username, by_username.userid
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS name (userid, username, place)
LEFT JOIN accounts_user AS by_userid ON by_userid.userid = name.userid
LEFT JOIN LATERAL (
    SELECT id, username, userid FROM accounts_user
    WHERE {KEY.format("accounts_user.username")} = {KEY.format("name.username")}
    ORDER BY accounts_user.username <> name.username, namesake
    LIMIT 1
) AS by_username ON true
ORDER BY name.place
"""  # noqa: S608
# Django stores "!" for a password that nothing matches.
_INSERT = """
INSERT INTO accounts_user
    (password, is_superuser, username, userid, email, is_staff, is_active, is_client, date_joined)
SELECT '!', false, name.username, name.userid, '', false, true, false, now()
FROM unnest(%s::text[], %s::text[]) AS name (userid, username)
ON CONFLICT DO NOTHING
"""


def customers_resolve(names: Sequence[Names]) -> list[Customer | ApplicationError]:
    """Return the account of each ``(userid, username)``, or the error that it names none.

    At least one of the two is given. A new pair becomes a customer account that cannot sign in;
    with only a userid, that is its username, too. Userids are compared exactly, usernames as
    ``accounts.names`` says. The errors are ``UseridConflict``, and ``ValidationFailed`` with the
    code ``unknown_customer`` or with what is wrong with a new name.

    One query if every account exists and four if not, however many names there are. Call this
    inside the transaction that needs the customers.
    """
    # Keep the order of the input, so that the first of two names that exclude each other wins.
    wanted = list(dict.fromkeys(names))
    found = _find(wanted)
    unseen = [
        pair for pair, match in found.items() if pair[0] is not None and match == (None, None)
    ]
    refused: dict[Names, ApplicationError] = {
        pair: ValidationFailed(errors) for pair in unseen if (errors := _new_name_errors(pair))
    }
    strangers = [pair for pair, match in found.items() if match == (None, None)]
    if strangers:
        for place in erased_places(strangers):
            refused[strangers[place]] = CustomerErased()
    if new := [pair for pair in unseen if pair not in refused]:
        _insert(new)
        found |= _find(new)
    answers = {pair: _choose(pair, match) for pair, match in found.items()} | refused
    return [answers[pair] for pair in names]


def _new_name_errors(names: Names) -> list[FieldError]:
    """Return what is wrong with the names of a new customer."""
    errors = []
    userid, username = names
    for attr, value, check in (
        ("userid", userid, NewUserid() if username is not None else NewUsername()),
        ("username", username, NewUsername()),
    ):
        try:
            if value is not None:
                check(value)
        except ValidationError as error:
            errors.append(FieldError(error.code or "invalid", error.messages[0], attr))
    return errors


def _find(names: list[Names]) -> dict[Names, _Match]:
    """Return for each pair the account with the userid, and the account with the username."""
    userids = [userid for userid, _ in names]
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [userids, [_username(pair) for pair in names]])
        rows = cursor.fetchall()
    return {
        pair: (
            Customer(*row[:3]) if row[0] is not None else None,
            Customer(*row[3:]) if row[3] is not None else None,
        )
        for pair, row in zip(names, rows, strict=True)
    }


def _insert(names: list[Names]) -> None:
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for userid, username in ((pair[0] or "", _username(pair)) for pair in names):
        if userid not in chosen and fold(username) not in taken:
            chosen[userid] = username
            taken.add(fold(username))
    # Sorted, so that two batches that create the same customers wait instead of deadlocking.
    rows = sorted(chosen.items())
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT, [[userid for userid, _ in rows], [username for _, username in rows]]
        )


def _username(names: Names) -> str:
    """Return the username that a pair names, or would get if it has only a userid."""
    userid, username = names
    return username if username is not None else userid or ""


def _choose(names: Names, match: _Match) -> Customer | ApplicationError:
    userid, username = names
    by_userid, by_username = match
    if userid is None:
        if by_username is None:
            detail = "There is no such customer; give its userid too to make one."
            return ValidationFailed([FieldError("unknown_customer", detail, "username")])
        return by_username
    if by_userid is None:
        return UseridConflict("This username belongs to another userid.")
    if username is not None and by_userid != by_username:
        return UseridConflict("This userid belongs to another username.")
    return by_userid


def system_account(name: str) -> User:
    """Return the account that the system itself records as. Make it if it does not exist.

    Nobody can take its names, because names of new accounts never begin with ``system:``.
    """
    user, _ = User.objects.get_or_create(
        userid=SYSTEM + name,
        defaults={"username": SYSTEM + name, "is_client": True, "password": "!"},
    )
    return user
