"""The account API, through the HTTP interface."""

import re
from datetime import timedelta
from typing import Any

import pytest
import redis
from allauth.account.models import EmailAddress
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.models import Token, User
from accounts.permissions import CUSTOMER, codes
from accounts.tests.conftest import PASSWORD, SentMail

pytestmark = pytest.mark.django_db

EVE = {"username": "eve", "email": "Eve@Example.com", "password": PASSWORD}


def post(client: Client, path: str, data: Any = None, **headers: str) -> Any:
    return client.post(
        f"/api/v1/{path}", data, content_type="application/json", headers=headers or None
    )


def errors(response: Any) -> set[tuple[str, str | None]]:
    body = response.json()
    assert body.keys() == {"type", "errors"}
    return {(error["code"], error["attr"]) for error in body["errors"]}


@pytest.mark.django_db(transaction=True)
def test_sign_up(client: Client, sent_mail: SentMail) -> None:
    response = post(client, "accounts/", EVE)
    assert response.status_code == 201
    user = User.objects.get(username="eve")
    assert response.json() == {
        "username": "eve",
        "userid": user.userid,
        "email": "eve@example.com",
    }
    assert re.fullmatch("[0-9a-f]{16}", user.userid)
    assert not response.cookies
    assert not user.is_staff
    assert not user.is_client
    assert user.check_password(PASSWORD)
    address = EmailAddress.objects.get(user=user)
    assert (address.email, address.verified, address.primary) == ("eve@example.com", False, True)
    [mail] = sent_mail()
    assert mail.to == ["eve@example.com"]
    link = re.search(rf"{settings.SITE_URL}(/accounts/confirm-email/\S+)", str(mail.body))
    assert link is not None
    assert client.post(link[1]).status_code == 302
    address.refresh_from_db()
    assert address.verified


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"username": "alice"}, {("taken", "username")}),
        ({"username": "ALICE"}, {("taken", "username")}),
        ({"email": "ALICE@example.com"}, {("taken", "email")}),
        (
            {"username": "Alice", "email": "alice@example.com"},
            {("taken", "username"), ("taken", "email")},
        ),
        ({"email": "nowhere"}, {("invalid", "email")}),
        ({"email": f"{'e' * 250}@example.com"}, None),
        ({"username": "e v e"}, {("invalid", "username")}),
        ({"username": "eve\u0000"}, None),
        ({"username": "eve\u0007x"}, {("invalid", "username")}),
        ({"username": ""}, {("blank", "username")}),
        ({"username": "e" * 151}, {("max_length", "username")}),
        ({"username": None}, {("null", "username")}),
        ({"username": ["eve"]}, {("invalid", "username")}),
        (
            {"password": "12345678"},
            {("password_too_common", "password"), ("password_entirely_numeric", "password")},
        ),
        ({"password": "short"}, {("password_too_short", "password")}),
        ({"password": "eve@example"}, {("password_too_similar", "password")}),
    ],
)
def test_sign_up_refuses(
    client: Client, alice: User, sent_mail: SentMail, change: Any, expected: Any
) -> None:
    response = post(client, "accounts/", {**EVE, **change})
    assert response.status_code == 400
    found = errors(response)
    assert expected is None or found == expected
    assert User.objects.count() == 1
    assert not sent_mail()


def test_sign_up_names_every_missing_field(client: Client) -> None:
    expected = {("required", name) for name in ("username", "email", "password")}
    assert errors(post(client, "accounts/", {})) == expected
    for body in ("[]", '"eve"', "null", "{", "", '{"username": "\\ud800", "email": "a@b.de"}'):
        assert post(client, "accounts/", body).status_code == 400


def test_without_valkey_nothing_is_recorded(client: Client, monkeypatch: Any) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCache.get", refuse)
    response = post(client, "accounts/", EVE)
    assert response.status_code == 503
    assert response["Retry-After"]
    assert not User.objects.exists()


def test_token(client: Client, alice: User) -> None:
    before = timezone.now()
    response = post(client, "auth/token/", {"username": "Alice", "password": PASSWORD})
    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"token", "expires_at"}
    assert body["expires_at"].endswith("Z")
    token = Token.objects.get(user=alice)
    assert body["token"] not in (token.digest, token.token_key)
    assert token.expiry > before + timedelta(days=29)
    alice.refresh_from_db()
    assert alice.last_login is not None


def test_wrong_credentials_are_all_answered_alike(client: Client, alice: User) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    User.objects.create_user("named")
    answers = [
        post(client, "auth/token/", {"username": name, "password": password})
        for name, password in [
            ("alice", "wrong"),
            ("nobody", PASSWORD),
            ("gone", PASSWORD),
            ("named", "!"),
            ("alice", PASSWORD + "\n"),
        ]
    ]
    assert {response.status_code for response in answers} == {401}
    assert len({response.content for response in answers}) == 1
    assert errors(answers[0]) == {("invalid_credentials", None)}
    assert not Token.objects.exists()


def test_sign_in_is_throttled(client: Client, alice: User) -> None:
    for number in range(30):
        response = post(client, "auth/token/", {"username": f"a{number}", "password": "wrong"})
        assert response.status_code == 401
    response = post(client, "auth/token/", {"username": "alice", "password": PASSWORD})
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert errors(response) == {("throttled", None)}


def test_pages_and_api_share_the_limit_of_sign_ups(client: Client, db: Any, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"signup": "4/h/ip"}

    def statuses(address: str, *ways: str) -> list[int]:
        paths = {"api": "/api/v1/accounts/", "page": "/accounts/signup/"}
        answers = [client.post(paths[way], {}, REMOTE_ADDR=address) for way in ways]
        assert all(int(each["Retry-After"]) > 0 for each in answers if each.status_code == 429)
        return [each.status_code for each in answers]

    assert statuses("10.0.0.1", "api", "page", "api", "page") == [415, 200, 415, 200]
    assert statuses("10.0.0.1", "api", "page") == [429, 429]
    assert statuses("10.0.0.2", *["page"] * 5) == [200] * 4 + [429]
    assert statuses("2001:db8::1", *["api"] * 4) == [415] * 4
    assert statuses("2001:db8::ffff", "api", "page") == [429, 429]


def test_me(client: Client, alice: User, sign_in: Any) -> None:
    headers = sign_in()
    expected = {
        "username": "alice",
        "userid": "100",
        "email": "alice@example.com",
        "email_verified": False,
        "is_staff": False,
        "permissions": codes(CUSTOMER),
        "roles": ["customer"],
        "mfa": False,
    }
    assert client.get("/api/v1/accounts/me/", headers=headers).json() == expected
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    response = client.get("/api/v1/accounts/me/", headers=headers)
    assert response.json() == {**expected, "email_verified": True}


def test_me_takes_one_query_more_than_its_credential(
    client: Client, alice: User, sign_in: Any, django_assert_num_queries: Any
) -> None:
    headers = sign_in()
    for _ in range(5):
        Token.objects.create(user=alice, expiry=timedelta(seconds=-1))
    # The prepared statement that finds the credential is not counted.
    with django_assert_num_queries(1):
        client.get("/api/v1/accounts/me/", headers=headers)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Token",
        "Token ",
        "Token short",
        "Token " + "a" * 64,
        "Token " + "a" * 5000,
        "Token a b",
        "Token \x00\x01aaaaaaaaaaaaaaaaaaaa",
        "Token \xff\xfe" + "a" * 62,
        "Token ä" + "a" * 63,
        "Basic YWxpY2U6b3JjaGlkLWxhbXAtNDI=",
    ],
)
def test_without_a_good_token(client: Client, alice: User, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    response = client.get("/api/v1/accounts/me/", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    [(code, attr)] = errors(response)
    assert code in ("not_authenticated", "authentication_failed")
    assert attr is None


def test_tokens_end(client: Client, alice: User, sign_in: Any) -> None:
    def status(headers: dict[str, str]) -> int:
        return client.get("/api/v1/accounts/me/", headers=headers).status_code

    expired, revoked = sign_in(), None
    Token.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    revoked = sign_in()
    kept = sign_in()
    assert status(expired) == 401
    assert post(client, "auth/logout/", **revoked).status_code == 204
    assert status(revoked) == 401
    assert post(client, "auth/logout/", **revoked).status_code == 401
    assert status(kept) == 200
    User.objects.update(is_active=False)
    assert status(kept) == 401


def test_session(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.get("/api/v1/accounts/me/").status_code == 200
    response = post(client, "auth/logout/")
    assert response.status_code == 403
    assert client.get("/api/v1/accounts/me/").status_code == 200
    client = Client()
    client.force_login(alice)
    assert post(client, "auth/logout/").status_code == 204
    assert client.get("/api/v1/accounts/me/").status_code == 401


def test_live_ticket(client: Client, alice: User, sign_in: Any) -> None:
    assert post(client, "live-ticket/").status_code == 401
    response = post(client, "live-ticket/", **sign_in())
    assert response.status_code == 200
    assert response.json().keys() == {"ticket", "expires_in"}
    assert response.json()["expires_in"] == 30


def test_only_json_and_only_these_methods(client: Client, alice: User) -> None:
    response = client.post("/api/v1/auth/token/", {"username": "alice", "password": PASSWORD})
    assert response.status_code == 415
    assert client.get("/api/v1/auth/token/").status_code == 405
    assert client.get("/api/v1/accounts/").status_code == 401
