import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from accounts.mailing import mails_send
from accounts.models import User

PASSWORD = "orchid-lamp-42"


@pytest.fixture(autouse=True)
def _fast_and_unthrottled(settings: Any) -> Any:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


def make_recent(client: Client, user: User) -> None:
    """Let the client's session be one whose user gave the password just now."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()


SentMail = Callable[[], list[EmailMessage]]


@pytest.fixture
def sent_mail(mailoutbox: list[EmailMessage]) -> SentMail:
    """Do the work of a worker. Return every mail that was sent."""

    def send() -> list[EmailMessage]:
        mails_send()
        return mailoutbox

    return send


@pytest.fixture
def alice(db: Any) -> User:
    return User.objects.create_user("alice", "alice@example.com", PASSWORD, userid="100")


@pytest.fixture
def sign_in(client: Client) -> Any:
    """Sign in by password. Return the headers with the token."""

    def get(username: str = "alice", password: str = PASSWORD) -> dict[str, str]:
        response = client.post(
            "/api/v1/auth/token/",
            {"username": username, "password": password},
            content_type="application/json",
        )
        assert response.status_code == 200, response.content
        return {"authorization": f"Token {response.json()['token']}"}

    return get
