"""Whom an export or an erasure is about, as the parameters of the conditions of the registry."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import User

_BATCH = 1000


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
    def of(cls, user: User, *, sessions: bool = False) -> "Subject":
        """Return an account as a subject; its ``sessions`` only if asked, as that takes longer."""
        addresses = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
        return cls(
            account=user.pk,
            username=user.username,
            userid=user.userid,
            emails=sorted({email.lower() for email in [user.email, *addresses] if email}),
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


def sessions_of(account_id: int) -> Iterator[str]:
    """Yield the keys of the account's browser sessions. All sessions are read for that."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    for session in live.iterator(chunk_size=_BATCH):
        if session.get_decoded().get(SESSION_KEY) == str(account_id):
            yield session.session_key
