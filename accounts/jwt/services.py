"""Grants: made by a password or a token, refreshed, and revoked.

Call these services outside of transactions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import user_logged_in
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.credentials import account_authenticate
from accounts.factors.codes import check_code
from accounts.jwt.refreshing import Refresh, new_gid, parse_refresh, refresh_token
from accounts.jwt.signing import access_token, grant_digest
from accounts.keys.networks import is_within
from accounts.models import Token, TokenKind, User
from accounts.permissions import NONE, UNLIMITED, codes, permission_of
from accounts.services import tokens_keep_newest
from accounts.sessions.ending import hold_credentials
from accounts.site_settings import JWT_DAYS
from audit.services import record
from shop.core.errors import ApplicationError, FieldError, Forbidden, ValidationFailed

GRACE_SECONDS = 60
"""For so long a client whose answer was lost gets the same successor once more."""


class InvalidRefresh(ApplicationError):
    """No grant has this refresh token, or the grant has ended."""

    status = 401
    code = "refresh_invalid"
    detail = gettext_noop("The refresh token is unknown or has ended. Sign in again.")


class RefreshReused(ApplicationError):
    """A refresh token was used a second time, so that somebody else may have it."""

    status = 401
    code = "refresh_reused"
    detail = gettext_noop(
        "This refresh token was used before, so its sign-in has ended. Sign in again."
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, for how many seconds it is good, and the refresh token for the next one."""

    access: str
    expires_in: int
    refresh: str
    refresh_expires_at: datetime
    scope: str


def grant_by_password(
    *, request: HttpRequest, username: str, password: str, code: str = "", scope: str | None
) -> Pair:
    """Sign in. Raise as ``token_create`` does, and ``ValidationFailed`` for a scope too large."""
    user = account_authenticate(request=request, login=username, password=password)
    mask = _mask(user, scope)
    second = check_code(user, code, request)
    pair = _grant_create(
        user,
        mask=UNLIMITED if mask is None else mask,
        methods=f"password {second}".rstrip(),
    )
    user_logged_in.send(sender=User, request=request, user=user, credential="jwt")
    return pair


def grant_by_token(*, user: User, token: Token, scope: str | None) -> Pair:
    """Make a grant that may do no more than the token, and ends with it.

    Raise ``Forbidden`` for a JWT, which would become longer, and ``ValidationFailed`` for a scope
    too large.
    """
    if token.kind == TokenKind.JWT:
        raise Forbidden(gettext_noop("Refresh this sign-in instead."), code="credential_kind")
    mask = _mask(user, scope)
    return _grant_create(
        user, mask=token.permissions if mask is None else mask, methods=token.methods, parent=token
    )


def _mask(user: User, scope: str | None) -> int | None:
    """Return the permissions that a scope names, all of which the request has."""
    if scope is None:
        return None
    mask = NONE
    for code in scope.split():
        try:
            mask |= permission_of(code)
        except KeyError:
            raise _invalid_scope() from None
    if mask & ~user.permissions:
        raise _invalid_scope()
    return int(mask)


def _invalid_scope() -> ValidationFailed:
    detail = gettext_noop("The account or the credential does not have all of this scope.")
    return ValidationFailed([FieldError("invalid_scope", detail, "scope")])


def _grant_create(user: User, *, mask: int, methods: str, parent: Token | None = None) -> Pair:
    gid = new_gid()
    ends = timezone.now() + timedelta(days=JWT_DAYS.value)
    with transaction.atomic(durable=True):
        if parent is not None:
            # The parent's own change waits, so that the copies below are not of before it.
            parent = (
                Token.objects.select_for_update(no_key=True, of=("self",))
                .filter(pk=parent.pk)
                .first()
            )
            if parent is None:
                raise InvalidRefresh()
            mask &= parent.permissions
            ends = ends if parent.expiry is None else min(ends, parent.expiry)
        else:
            hold_credentials(user)
        grant = Token(
            kind=TokenKind.JWT,
            digest=grant_digest(gid),
            user=user,
            expiry=ends,
            permissions=mask,
            methods=methods,
            parent=parent,
            name=parent.name if parent else "",
            networks=parent.networks if parent else None,
        )
        grant.save(force_insert=True)
        tokens_keep_newest(user, TokenKind.JWT, settings.JWT_GRANTS_PER_ACCOUNT)
        if parent is None:
            record(
                "account.signed_in",
                object=f"account:{user.pk}",
                actor_id=user.pk,
                after={"credential": "jwt", "id": grant.id, "permissions": codes(mask)},
            )
        else:
            _record("created", grant)
    return _pair(grant, Refresh(gid, 0))


def grant_refresh(text: str, *, address: str) -> Pair:
    """Return the successor of a refresh token, with a new access token.

    Of many requests at once all get the same successor, and so does who asks again within
    ``GRACE_SECONDS``. Later, the grant ends. Raise ``InvalidRefresh`` and ``RefreshReused``.
    """
    given = parse_refresh(text)
    if given is None:
        raise InvalidRefresh()
    with transaction.atomic(durable=True):
        grant = _grant_of(given.gid)
        if grant is None or not is_within(grant.networks, address):
            raise InvalidRefresh()
        now = timezone.now()
        if grant.refreshes == given.number:
            grant.refreshes += 1
            grant.refreshed_at = now
            grant.save(update_fields=["refreshes", "refreshed_at"])
        reused = not (
            grant.refreshes == given.number + 1
            and grant.refreshed_at is not None
            and now - grant.refreshed_at <= timedelta(seconds=GRACE_SECONDS)
        )
        if reused:
            _record("reused", grant)
            _tell_reused(grant)
            grant.delete()
    if reused:
        raise RefreshReused()
    return _pair(grant, Refresh(given.gid, given.number + 1))


def grant_revoke(text: str) -> None:
    """End the grant of a refresh token, of any age; do nothing for an unknown one."""
    given = parse_refresh(text)
    if given is None:
        return
    with transaction.atomic(durable=True):
        grant = _grant_of(given.gid)
        if grant is not None:
            _record("ended", grant)
            grant.delete()


def _grant_of(gid: str) -> Token | None:
    """Return the grant that is still good, and lock it."""
    grant = (
        Token.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user")
        .filter(digest=grant_digest(gid), kind=TokenKind.JWT, expiry__gt=timezone.now())
        .first()
    )
    return grant if grant is not None and grant.user.is_active else None


def _pair(grant: Token, refresh: Refresh) -> Pair:
    user = grant.user
    user.credential_permissions = grant.permissions
    scope = " ".join(codes(user.permissions))
    access, seconds = access_token(
        gid=refresh.gid, subject=user.userid, scope=scope, ends=grant.expiry
    )
    assert grant.expiry is not None  # noqa: S101
    return Pair(access, seconds, refresh_token(refresh), grant.expiry, scope)


def _record(event: str, grant: Token) -> None:
    record(
        f"jwt.{event}",
        object=f"jwt:{grant.id}",
        actor_id=grant.user_id,
        after={"permissions": codes(grant.permissions), "expires_at": grant.expiry},
    )


def _tell_reused(grant: Token) -> None:
    if grant.user.email:
        get_adapter().send_mail(
            "account/email/refresh_reused", grant.user.email, {"user": grant.user}
        )
