"""What an account, a key, a role or a team may do no more, for the journal.

A backup of before has the password, the second factor or the right that was taken away since.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import is_password_usable
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import Token, TokenKind, User
from people.models import Membership, Role, Team
from people.services import FLAGS
from personal.journal import CHANGED, REMOVED, journal_note
from shop.core.times import iso


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows that the journal tells of.

    ``made`` is the path to a time that tells the row from a later one with its id. ``fields`` say
    what the row lets somebody do. ``removal`` says whether a deletion is noted here.
    """

    model: type[Any]
    made: str
    fields: tuple[str, ...] = ()
    removal: bool = True


KINDS = {
    kind.model._meta.label_lower: kind
    for kind in (
        Kind(User, "date_joined", ("password", *FLAGS, "roles"), removal=False),
        Kind(Token, "created", ("permissions", "networks"), removal=False),
        Kind(Team, "created_at", ("roles",)),
        Kind(Role, "created_at", ("permissions",)),
        Kind(Membership, "since"),
        Kind(Authenticator, "created_at"),
        Kind(SocialAccount, "date_joined"),
        Kind(EmailAddress, "user.date_joined"),
    )
}


def kind_of(model: type[Model]) -> Kind | None:
    """Return how the journal tells of a model's rows, if it does."""
    return KINDS.get(model._meta.label_lower)


def made_at(row: Model) -> str:
    """Return the time that tells the row from a later one with its id."""
    return iso(attrgetter(KINDS[row._meta.label_lower].made)(row))


def password_digest(password: str) -> str:
    """Return what the journal says of a stored password; empty if nothing matches it."""
    return sha256(password.encode()).hexdigest() if is_password_usable(password) else ""


@receiver(post_save)
def row_changed(
    sender: type[Model],
    instance: Any,
    created: bool,
    update_fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    """Note what the row lets somebody do now."""
    kind = kind_of(sender)
    if created or kind is None or (sender is Token and instance.kind != TokenKind.KEY):
        return
    if {*kind.fields}.intersection(kind.fields if update_fields is None else update_fields):
        fields = {name: getattr(instance, name) for name in kind.fields}
        if "password" in fields:
            fields["password"] = password_digest(fields["password"])
        _note(CHANGED, instance, fields=fields)


@receiver(post_delete)
def row_deleted(sender: type[Model], instance: Any, **kwargs: Any) -> None:
    """Note a way in, or what gave a right, that is no more."""
    kind = kind_of(sender)
    if kind is not None and kind.removal:
        _note(REMOVED, instance)


def _note(event: str, row: Model, **more: Any) -> None:
    place = {"what": row._meta.label_lower, "id": str(row.pk), "made": made_at(row)}
    journal_note({"kind": event, **place, **more})
