import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from accounts.mailing import mails_send
from accounts.models import User
from shop.core import identity
from tests.identity import CLIENT_ID, CLIENT_SECRET, IdentityProvider, providing

PASSWORD = "orchid-lamp-42"
SITE = "http://testserver"


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


@pytest.fixture(scope="session")
def running_provider() -> Iterator[IdentityProvider]:
    names = ("example", "other")
    with providing(
        redirects=[f"{SITE}/accounts/oidc/{name}/login/callback/" for name in names]
    ) as provider:
        yield provider


@pytest.fixture
def provider(running_provider: IdentityProvider, settings: Any) -> IdentityProvider:
    """The provider, which the shop knows by two names."""
    settings.SITE_URL = SITE
    settings.IDENTITY_PROVIDERS = [
        identity.IdentityProvider(
            id=name,
            label=name.title(),
            issuer=running_provider.url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            origins=(running_provider.url,),
        )
        for name in ("example", "other")
    ]
    settings.SOCIALACCOUNT_PROVIDERS = identity.allauth_settings(settings.IDENTITY_PROVIDERS)
    running_provider.reset()
    return running_provider
