"""Providers that are away, that hang, or that answer with nonsense."""

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts.models import User
from accounts.providers import discovery, outgoing
from accounts.tests.provider_visits import (
    CALLBACK,
    begin,
    came_back,
)
from tests.identity import CLIENT_ID, CLIENT_SECRET, IdentityProvider
from tests.system import free_port

pytestmark = pytest.mark.django_db


def unsigned(payload: dict[str, Any]) -> str:
    parts = [{"alg": "none"}, payload]
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        + "."
    )


def test_outages_and_nonsense_have_a_clear_page_and_change_nothing(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = IdentityProvider(f"http://127.0.0.1:{free_port()}").url
    now = int(time.time())
    whole = {"iss": provider.url, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 60}
    by_secret = jwt.encode(whole, CLIENT_SECRET * 2, algorithm="HS256")

    def token(id_token: Any) -> str:
        return json.dumps({"access_token": "a", "token_type": "Bearer", "id_token": id_token})

    token_at, keys_at = "/o/api/token", "/jwks.json"
    faults: list[tuple[str, dict[str, Any], int]] = [
        (token_at, {"status": 500}, 503),
        (token_at, {"seconds": 2}, 503),
        (token_at, {"status": 400, "body": '{"error": "invalid_grant"}'}, 400),
        (token_at, {"status": 302, "location": f"{elsewhere}/token"}, 400),
        (token_at, {"body": "<html>"}, 400),
        (token_at, {"body": "[]"}, 400),
        (token_at, {"body": '"access_token"'}, 400),
        (token_at, {"body": "[" * 20_000}, 400),
        (token_at, {"body": " " * 300_000}, 400),
        (token_at, {"body": '{"access_token": "a", "expires_in": "soon"}'}, 400),
        (token_at, {"body": token(None)}, 400),
        (token_at, {"body": token(7)}, 400),
        (token_at, {"body": token("a.b.c")}, 400),
        (token_at, {"body": token(unsigned(whole))}, 400),
        (token_at, {"body": token(by_secret)}, 400),
        (keys_at, {"status": 500}, 503),
        (keys_at, {"body": '{"keys": [{"kid": 1}, 7]}'}, 400),
        (keys_at, {"body": "{}"}, 400),
    ]
    for path, answer, status in faults:
        discovery.forget()
        provider.person("number-1", email="a@example.com", email_verified=True)
        client = Client()
        location = begin(client)
        monkeypatch.setattr(outgoing, "SECONDS", 1 if "seconds" in answer else 20)
        provider.fail(path, **answer)
        page = came_back(provider, client, location)
        provider.fail()
        assert page.status_code == status, (path, answer, page.content)
        assert ("Retry-After" in page) is (status == 503)
        assert "You are not signed in with Example" in page.content.decode()
        assert client.get("/accounts/3rdparty/signup/").status_code == 302
    bad_claims: list[dict[str, Any]] = [
        {"nonce": "other"},
        {"nonce": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": now - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": now + 3600},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 192},
        {"sub": "a\0b"},
    ]
    discovery.forget()
    for claims in bad_claims:
        provider.person("number-1", email="a@example.com", email_verified=True, **claims)
        client = Client()
        page = came_back(provider, client, begin(client))
        assert page.status_code == 400, claims
        assert client.get("/accounts/3rdparty/signup/").status_code == 302
    # An address that is none does not stop the sign-up, which asks for one.
    for email in (7, "", "a@localhost", "a" * 300 + "@example.com", ["a@example.com"], "a@b\0.com"):
        provider.person("number-1", email=email, email_verified=True)
        client = Client()
        assert came_back(provider, client, begin(client)).status_code == 302
        assert "readonly" not in client.get("/accounts/3rdparty/signup/").content.decode()
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


def test_a_provider_that_hangs_does_not_take_all_threads(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(outgoing.AT_ONCE):
        outgoing._places.acquire()
    try:
        answer = Client().post("/accounts/oidc/example/login/")
    finally:
        for _ in range(outgoing.AT_ONCE):
            outgoing._places.release()
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "Too many people" in answer.content.decode()
    # That says nothing of the provider, so it is not remembered.
    begin(Client())


def test_a_provider_that_is_away_is_told_at_once_and_asked_again_soon(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "SECONDS", 2)
    document = json.dumps({"issuer": "https://evil.example"})
    for fault, status in (({"status": 503}, 503), ({"seconds": 3}, 503), ({"body": document}, 400)):
        discovery.forget()
        provider.fail("openid-configuration", **fault)
        for _ in range(3):
            answer = Client().post("/accounts/oidc/example/login/")
            assert answer.status_code == status
    assert provider.asked.count("/.well-known/openid-configuration") == 3
    provider.fail()
    monkeypatch.setattr(discovery, "FAILURE_SECONDS", 0)
    begin(Client())


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{}/token",
        "https://127.0.0.1:{}/token",
        "https://localhost:{}/token",
        "https://[::1]:{}/token",
        "https://[::ffff:10.0.0.1]/token",
        "https://0x7f.1:{}/token",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/token",
        "file:///etc/passwd",
        "ftp://example.com/",
        "https://",
        "//x",
        "",
        7,
        None,
    ],
)
def test_a_provider_does_not_send_the_shop_to_inside_addresses(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, place: Any
) -> None:
    def dial(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a connection was tried")

    place = place.format(free_port()) if isinstance(place, str) else place
    document = {
        "issuer": provider.url,
        "authorization_endpoint": f"{provider.url}/identity/o/authorize",
        "token_endpoint": place,
        "jwks_uri": f"{provider.url}/jwks",
    }
    provider.fail("openid-configuration", body=json.dumps(document))
    client = Client()
    answer = client.post("/accounts/oidc/example/login/")
    if answer.status_code == 302:
        state = parse_qs(urlsplit(answer["Location"]).query)["state"][0]
        monkeypatch.setattr("urllib3.connection.HTTPConnection.connect", dial)
        monkeypatch.setattr("urllib3.connection.HTTPSConnection.connect", dial)
        answer = client.get(CALLBACK.format("example") + f"?code=c&state={state}")
    assert answer.status_code in (400, 503)
