"""Ways to a provider and back, as a browser goes them; the fixture is in ``conftest.py``."""

import re
from typing import Any

from django.test import Client

from accounts.tests.conftest import PASSWORD, SITE
from tests.identity import IdentityProvider

CALLBACK = "/accounts/oidc/{}/login/callback/"


def begin(client: Client, name: str = "example", **form: str) -> str:
    """Press the button. Return where it leads."""
    answer = client.post(f"/accounts/oidc/{name}/login/", form)
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def came_back(provider: IdentityProvider, client: Client, location: str) -> Any:
    """Follow to the provider and back."""
    return client.get(provider.authorize(location).removeprefix(SITE))


def signed_in(client: Client) -> str:
    """Return the name of who is signed in."""
    answer = client.get("/accounts/")
    if answer.status_code != 200:
        return ""
    found = re.search(r"<dt>Username</dt><dd><bdi>(.*?)</bdi>", answer.content.decode())
    assert found is not None
    return found[1]


def signed_up(provider: IdentityProvider, sub: str, name: str, **claims: Any) -> Client:
    client = Client()
    provider.person(sub, **claims)
    assert came_back(provider, client, begin(client))["Location"] == "/accounts/3rdparty/signup/"
    form = {"username": name, "email": claims.get("email", "")}
    answer = client.post("/accounts/3rdparty/signup/", form)
    assert answer.status_code == 302, answer.content
    assert signed_in(client) == name
    return client


def with_password(name: str) -> Client:
    client = Client()
    form = {"login": name, "password": PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client
