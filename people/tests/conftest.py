import json
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client

from accounts.mailing import mails_send
from accounts.models import Token, User
from people.folding import fold

Make = Callable[..., User]


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def make(name: str, *roles: str, **fields: Any) -> User:
    """Return an account with these roles and a verified address."""
    email = f"{name}@example.com"
    user = User.objects.create_user(name, email, "x", userid=f"id-{name}", **fields)
    if roles:
        User.objects.filter(pk=user.pk).update(roles=sorted(roles))
        fold([user.pk])
        user.refresh_from_db()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


class Api:
    """A client of the API with a token of an account."""

    def __init__(self, user: User) -> None:
        self.user = user
        token = Token.objects.create(user=user)[1]
        self.client = Client(headers={"Authorization": f"Token {token}"})

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else json.dumps(body),
            "application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


@pytest.fixture
def boss(db: None) -> Api:
    """Return the client of an administrator who is no staff."""
    return Api(make("boss", "admin"))


@pytest.fixture
def sent_mail(mailoutbox: list[EmailMessage]) -> Callable[[], list[EmailMessage]]:
    """Do the work of a worker. Return every mail that was sent."""

    def send() -> list[EmailMessage]:
        mails_send()
        return mailoutbox

    return send
