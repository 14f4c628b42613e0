from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage

from accounts.mailing import mails_send
from accounts.models import User
from tests import callers
from tests.callers import Api

Make = Callable[..., User]


@pytest.fixture(autouse=True)
def _fast(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def make(name: str, *roles: str, **fields: Any) -> User:
    """Return an account with these roles and a verified address."""
    user = callers.make(name, *roles, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


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
