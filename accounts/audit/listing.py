"""The entries of the audit, as lists, pages and exports show them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from audit.actions import declared_actions
from audit.chain import members
from audit.models import COLUMN, Detail, Entry
from shop.core.errors import FieldError, ValidationFailed
from shop.core.merged import Merged
from shop.core.pagination import KeysetPagination
from shop.core.sealing import Unsealable, unseal
from shop.core.times import given_moment

FILTERS = ("since", "until", "actor", "account", "action", "object", "from", "to")
TEXT_MAX_LENGTH = 200
_ACCOUNT = re.compile(r"account:([0-9]{1,18})", re.ASCII)
_SEQ = re.compile(r"[0-9]{1,18}", re.ASCII)


class ByNumber(KeysetPagination):
    """Pages of entries, the newest first."""

    number_field = "seq"


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as it is shown: what its hash covers, its hash, and what lies beside the chain.

    ``personal`` is ``None`` where there is nothing, where it was erased, and where the reader may
    not see it. ``actor_name`` is the actor's present username.
    """

    entry: Entry
    personal: dict[str, Any] | None
    actor_name: str | None

    @property
    def words(self) -> str:
        """Return what happened, for the person concerned."""
        return str(declared_actions().get(self.entry.action, self.entry.action))

    def as_data(self) -> dict[str, Any]:
        """Return the entry as the API shows it."""
        covered = members(self.entry, seq=self.entry.seq, previous=self.entry.previous)
        beside = {"personal": self.personal, "actor_name": self.actor_name}
        return covered | {"hash": self.entry.hash} | beside


def entries_matching(parameters: Mapping[str, str]) -> QuerySet[Entry]:
    """Return the entries that pass the filters. Raise ``ValidationFailed`` for a malformed one.

    ``since`` and ``until`` are days of the reader's time zone, or times with an offset, both
    inclusive. ``actor`` and ``account`` are ``account:<id>``, a username or a userid. ``action`` is
    an action or its part. ``from`` and ``to`` are numbers of entries.
    """
    entries = Entry.objects.all()
    errors = []
    for name in FILTERS:
        text = parameters.get(name, "").strip()
        if not text:
            continue
        try:
            entries = entries.filter(_condition(name, text))
        except ValueError as error:
            errors.append(FieldError("invalid", str(error), name))
    if errors:
        raise ValidationFailed(errors)
    return entries


def entries_of(user: User) -> Merged[Entry]:
    """Return the entries by an account and about it."""
    return Merged(
        Entry.objects.filter(account_id=user.pk),
        Entry.objects.filter(Q(account_id=None) | ~Q(account_id=user.pk), actor_id=user.pk),
    )


def shown(entries: Sequence[Entry], *, reader: User | None = None) -> list[Shown]:
    """Return entries as they are shown to whoever reads everybody's, or to one ``reader``.

    A reader sees the address and the name of no other account. Two queries.
    """
    details = {each.pk: each for each in Detail.objects.filter(pk__in=[e.key for e in entries])}
    ids = {entry.actor_id for entry in entries if entry.actor_id is not None}
    if reader is not None:
        ids &= {reader.pk}
    names = dict(User.objects.filter(pk__in=ids).values_list("pk", "username"))
    return [
        Shown(
            entry,
            _personal(details.get(entry.key))
            if reader is None or entry.actor_id in (None, reader.pk)
            else None,
            names.get(entry.actor_id or 0),
        )
        for entry in entries
    ]


def _personal(detail: Detail | None) -> dict[str, Any] | None:
    if detail is None:
        return None
    try:
        text = unseal(detail.sealed, account=detail.account_id, column=COLUMN)
    except Unsealable:
        # The verification names it.
        return None
    personal: dict[str, Any] = json.loads(text)
    return personal


def _condition(name: str, text: str) -> Q:
    if len(text) > TEXT_MAX_LENGTH or "\0" in text:
        raise ValueError(_("This is too long."))
    if name in ("since", "until"):
        operator = "gte" if name == "since" else "lte"
        return Q((f"at__{operator}", given_moment(text, is_end=name == "until")))
    if name in ("from", "to"):
        if not _SEQ.fullmatch(text):
            raise ValueError(_("Give the number of an entry."))
        return Q((f"seq__{'gte' if name == 'from' else 'lte'}", int(text)))
    if name in ("actor", "account"):
        match = _ACCOUNT.fullmatch(text)
        ids = {int(match[1])} if match else User.objects.known_as(text)
        # An index keeps the order for one account only.
        return Q((f"{name}_id", *ids)) if len(ids) == 1 else Q((f"{name}_id__in", ids))
    if name == "action" and "." not in text:
        actions = [action for action in declared_actions() if action.partition(".")[0] == text]
        return Q(action__in=actions)
    return Q((name, text))
