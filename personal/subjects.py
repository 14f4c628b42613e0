"""Whom an export or an erasure is about, as the parameters of the conditions of the registry."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from audit.models import COLUMN, Detail, Entry, Waiting
from shop.core.sealing import Unsealable, unseal

_BATCH = 1000
# Under these a session knows an account, signed in or not.
_ACCOUNT_KEYS = {SESSION_KEY, "user_pk", "user_id"}


@dataclass(frozen=True, slots=True)
class Subject:
    """An account, and the names and addresses by which rows may know it."""

    account: int
    username: str
    userid: str
    emails: list[str]
    sessions: list[str] = field(default_factory=list)
    erased_name: str = ""

    @classmethod
    def of(cls, user: User, *, sessions: bool = False, former: bool = False) -> "Subject":
        """Return an account as a subject.

        Its ``sessions`` are there only if asked, as that takes longer. With ``former``, ``emails``
        has the addresses that it once had, too.
        """
        addresses = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
        return cls(
            account=user.pk,
            username=user.username,
            userid=user.userid,
            emails=sorted(
                {email.lower() for email in [user.email, *addresses] if email}
                | (_former_addresses(user) if former else set())
            ),
            sessions=list(sessions_of(user.pk)) if sessions else [],
            erased_name=f"erased-{uuid.uuid4()}",
        )

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the conditions in ``shop.core.columns``."""
        return {
            "account": self.account,
            "username": self.username,
            "userid": self.userid,
            "emails": self.emails,
            "sessions": self.sessions,
            "erased_name": self.erased_name,
        }


def proved_addresses(user: User, *, former: bool = False) -> list[str]:
    """Return the addresses that the account has proved; with ``former``, once proved, too.

    A claim is no proof, so it reaches nothing that is known by an address alone.
    """
    proved = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    former_ones = _former_addresses(user) if former else set()
    return sorted({email.lower() for email in proved} | former_ones)


def sessions_of(account_id: int) -> Iterator[str]:
    """Yield the keys of the account's browser sessions. All sessions are read for that."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    for session in live.iterator(chunk_size=_BATCH):
        if session.get_decoded().get(SESSION_KEY) == str(account_id):
            yield session.session_key


def sessions_naming(subject: Subject) -> Iterator[str]:
    """Yield the keys of all browser sessions that are the account's or hold an address of it.

    A sign-in that is not finished, such as one by code, knows the account before it is signed in.
    """
    account = str(subject.account)
    for session in Session.objects.iterator(chunk_size=_BATCH):
        for key, value in _leaves(session.get_decoded()):
            if value.lower() in subject.emails or (key in _ACCOUNT_KEYS and value == account):
                yield session.session_key
                break


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, each in value.items():
                yield from _leaves(each, name)
        case list():
            for each in value:
                yield from _leaves(each, key)
        case str() | int():
            yield key, str(value)


def _former_addresses(user: User) -> set[str]:
    """Return addresses that the account had proved and has no more, and that are nobody's else.

    Only the audit knows of them, until the erasure deletes its details.
    """
    found: set[str] = set()
    for model in (Entry, Waiting):
        key = "key" if model is Entry else "pk"
        entries = model.objects.filter(
            Q(after__verified=True) | Q(before__verified=True),
            account_id=user.pk,
            object__startswith="address:",
        )
        for detail in Detail.objects.filter(pk__in=entries.values(key)):
            with contextlib.suppress(Unsealable):
                told = json.loads(unseal(detail.sealed, account=detail.account_id, column=COLUMN))
                found.add(str(told.get("email", "")).lower())
    others = EmailAddress.objects.exclude(user=user).filter(email__in=found)
    return found - {""} - {email.lower() for email in others.values_list("email", flat=True)}
