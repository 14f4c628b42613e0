"""API keys: made, narrowed, rotated and ended by their account, in a browser session only.

Every change tells the audit and the account's address. Call these services outside of transactions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha512
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext_noop
from knox.settings import CONSTANTS

from accounts.keys.texts import Asked, Made, made_before, random_text
from accounts.models import Token, TokenKind, User
from accounts.permissions import NONE, Permission, codes, permission_of
from accounts.sessions.ending import hold_credentials
from accounts.site_settings import KEYS_PER_ACCOUNT
from audit.services import record
from shop.core.errors import Conflict, FieldError, Forbidden, NotFound, ValidationFailed

SHOWN = 12
"""How many characters of a key stay visible, so that its owner knows it again."""
OVERLAP_SECONDS = 24 * 3600
OVERLAP_SECONDS_MAX = 30 * 24 * 3600


class TooManyKeys(Conflict):
    """The account has as many keys as it may have."""

    code = "key_limit"
    detail = gettext_noop("The account has as many keys as it may have. End one of them first.")


class AlreadyRotated(Conflict):
    """The key has a successor already, and nothing has changed now."""

    code = "already_rotated"
    detail = gettext_noop("This key was rotated before. Rotate its successor instead.")


@dataclass(frozen=True, slots=True)
class Changes:
    """What a key shall become; ``None`` stays as it is. Empty networks mean everywhere."""

    name: str | None = None
    permissions: Permission | None = None
    networks: Sequence[str] | None = None


def keys_of(user: User) -> QuerySet[Token]:
    """Return the keys of an account that have not ended."""
    return Token.objects.filter(
        Q(expiry=None) | Q(expiry__gt=timezone.now()), user=user, kind=TokenKind.KEY
    )


def key_of(user: User, key_id: UUID) -> Token:
    """Return a key of the account. Raise ``NotFound``."""
    key = keys_of(user).filter(id=key_id).first()
    if key is None:
        raise NotFound()
    return key


def parse_permissions(given: Collection[str]) -> Permission:
    """Return the mask of permissions by name. Raise ``ValidationFailed`` for an unknown one."""
    mask = NONE
    for code in given:
        try:
            mask |= permission_of(code)
        except KeyError:
            detail = f"There is no permission {code[:40]!r}."
            raise ValidationFailed([FieldError("invalid", detail, "permissions")]) from None
    return mask


def key_create(
    *,
    user: User,
    name: str,
    permissions: Permission,
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
    idempotency_key: str | None = None,
) -> Made:
    """Make a key.

    Raise ``Forbidden`` for permissions that the account lacks, ``TooManyKeys``,
    ``IdempotencyKeyReused``, and ``ValidationFailed`` for an end that is past.
    """
    check_own(user, permissions)
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationFailed([FieldError("past", "Give a time to come.", "expires_at")])
    asked = Asked.of(idempotency_key, "create", [name, int(permissions), expires_at, networks])
    with transaction.atomic(durable=True):
        hold_credentials(user)
        if earlier := made_before(user, asked):
            return earlier
        if keys_of(user).count() >= KEYS_PER_ACCOUNT.value:
            raise TooManyKeys()
        key, text = _store(
            user=user,
            name=name,
            permissions=int(permissions),
            expiry=expires_at,
            networks=list(networks) or None,
            asked=asked,
        )
        _tell("created", key)
    return Made(key, text)


def key_change(*, user: User, key_id: UUID, changes: Changes, may_widen: bool) -> Token:
    """Change a key, and what was made from it. Return its row.

    Raise ``Forbidden`` for permissions that the account lacks, ``NotFound``, and without
    ``may_widen`` ``Widens``.
    """
    with transaction.atomic(durable=True):
        _lock(user)
        key = key_of(user, key_id)
        before = _facts(key)
        wider = False
        if changes.name is not None:
            key.name = changes.name
        if changes.permissions is not None:
            added = changes.permissions & ~key.permissions
            check_own(user, added)
            wider = added != NONE
            key.permissions = int(changes.permissions)
        if changes.networks is not None:
            wider = wider or not _are_within(changes.networks, key.networks)
            key.networks = list(changes.networks) or None
        if wider and not may_widen:
            raise Widens()
        key.save(update_fields=["name", "permissions", "networks"])
        Token.objects.filter(parent=key).update(
            permissions=F("permissions").bitand(key.permissions), networks=key.networks
        )
        _record("changed", key, before)
    return key


class Widens(Exception):
    """The change gives a key more than it has, which needs a recent sign-in."""


def key_rotate(
    *,
    user: User,
    key_id: UUID,
    overlap: int = OVERLAP_SECONDS,
    idempotency_key: str | None = None,
) -> Made:
    """Make the successor of a key, with the same rights and the same end.

    The old key ends after ``overlap`` seconds. Raise ``AlreadyRotated``, ``NotFound``,
    ``TooManyKeys`` and ``IdempotencyKeyReused``.
    """
    asked = Asked.of(idempotency_key, f"rotate {key_id}", [overlap])
    with transaction.atomic(durable=True):
        _lock(user)
        if earlier := made_before(user, asked):
            return earlier
        key = key_of(user, key_id)
        if key.replaced_by is not None:
            raise AlreadyRotated()
        # Whoever has as many keys as they may have can still rotate each of them.
        if keys_of(user).count() >= 2 * KEYS_PER_ACCOUNT.value:
            raise TooManyKeys()
        successor, text = _store(
            user=user,
            name=key.name,
            permissions=key.permissions,
            expiry=key.expiry,
            networks=key.networks,
            asked=asked,
        )
        ends = timezone.now() + timedelta(seconds=overlap)
        key.replaced_by = successor.id
        key.expiry = ends if key.expiry is None else min(key.expiry, ends)
        key.save(update_fields=["replaced_by", "expiry"])
        Token.objects.filter(parent=key).update(expiry=Least(F("expiry"), key.expiry))
        _tell("rotated", key, successor=str(successor.id))
    return Made(successor, text)


def key_end(*, user: User, key_id: UUID) -> None:
    """End a key, and what was made from it, at once. Raise ``NotFound``."""
    with transaction.atomic(durable=True):
        _lock(user)
        key = key_of(user, key_id)
        _tell("ended", key)
        key.delete()


def check_own(user: User, permissions: int) -> None:
    """Raise ``Forbidden``, which names one of them, for permissions that the account lacks."""
    if missing := codes(permissions & ~user.permissions):
        raise Forbidden(gettext_noop("A key may do no more than its account."), accepted=missing[0])


def _lock(user: User) -> None:
    """Let the changes of one account's keys wait for each other."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)


def _store(*, asked: Asked | None, **fields: Any) -> tuple[Token, str]:
    id = uuid4()
    text = random_text() if asked is None else asked.text(id)
    key = Token(
        id=id,
        kind=TokenKind.KEY,
        digest=sha512(text.encode()).hexdigest(),
        token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
        prefix=text[:SHOWN],
        asked="" if asked is None else asked.stored,
        **fields,
    )
    key.save(force_insert=True)
    return key, text


def _are_within(networks: Sequence[str], others: Sequence[str] | None) -> bool:
    """Return whether all these networks are in the others. No networks mean everywhere."""
    if others is None:
        return True
    parsed = [(ip_network(one), [ip_network(other) for other in others]) for one in networks]
    return bool(networks) and all(
        any(one.version == other.version and one.subnet_of(other) for other in within)  # type: ignore[arg-type]
        for one, within in parsed
    )


def _facts(key: Token) -> dict[str, Any]:
    return {
        "permissions": codes(key.permissions),
        "expires_at": key.expiry,
        "bound": key.networks is not None,
    }


def _record(event: str, key: Token, before: Any = None, **more: Any) -> None:
    record(
        f"key.{event}",
        object=f"key:{key.id}",
        actor_id=key.user_id,
        before=before,
        after=_facts(key) | more,
        personal={"name": key.name, "prefix": key.prefix, "networks": key.networks},
    )


def _tell(event: str, key: Token, **more: Any) -> None:
    """Record the event, and mail it to the account's address."""
    _record(event, key, **more)
    user = key.user
    if user.email:
        context = {"user": user, "key": key, "keys_url": settings.SITE_URL + "/accounts/keys/"}
        get_adapter().send_mail(f"account/email/key_{event}", user.email, context)
