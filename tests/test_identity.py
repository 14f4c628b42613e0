"""One identity: a credential means the same for REST, long polls and sockets."""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from django.test import override_settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from accounts.authentication import given_token, origin_is_ours
from tests.access import PASSWORD
from tests.limits import forget_limits
from tests.sessions import Browser
from tests.system import System

BASIC = "Basic cHJveHk6cHJveHk="


async def _first(url: str, headers: Mapping[str, str]) -> str:
    """Return the type of the first message of a socket, or its close code."""
    async with connect(url, additional_headers=headers) as socket:
        try:
            return str(json.loads(await asyncio.wait_for(socket.recv(), 10))["type"])
        except ConnectionClosed:
            return str(socket.close_code)


def _waited(system: System, headers: dict[str, str]) -> bool:
    """Return whether a request for events was held until its time was over."""
    end, full = 0, True
    while full:
        path = f"/api/v1/events/?after={end}&limit=5000"
        page = system.request("GET", path, None, None, 30, **headers).json()
        if "position" not in page:
            return False
        end, full = page["position"], len(page["events"]) == 5000
    started = time.monotonic()
    path = f"/api/v1/events/?after={end}&wait=1"
    assert system.request("GET", path, None, None, 30, **headers).status == 200
    return time.monotonic() - started > 0.9


@pytest.mark.system
async def test_a_credential_means_the_same_everywhere(system: System) -> None:
    forget_limits(system)
    token = system.token("joe")
    browser = Browser(system)
    browser.sign_in("joe", "demo-joe")
    name = f"sessionid_{system.port}"
    cookie = f"{name}={browser.http.cookies[name]}"
    browser.http.close()
    rows: list[tuple[dict[str, str], bool]] = [
        ({"Authorization": f"Token {token}"}, True),
        ({"Authorization": f"bearer  {token} "}, True),
        ({"Cookie": cookie}, True),
        ({"Cookie": cookie, "Authorization": BASIC}, True),
        ({"Cookie": cookie, "Authorization": "Digest"}, True),
        ({"Cookie": cookie, "Authorization": f"Token {token}"}, True),
        ({"Cookie": cookie, "Authorization": "Bearer nonsense-nonsense"}, False),
        ({"Cookie": cookie, "Authorization": "Token"}, False),
        ({"Cookie": "sessionid=nonsense"}, False),
        ({"Authorization": BASIC}, False),
        ({"Authorization": f"Basic {token}"}, False),
        ({"Authorization": f"Token {token} {token}"}, False),
        ({"Authorization": token}, False),
        ({}, False),
    ]
    for headers, good in rows:
        answer = system.request("GET", "/api/v1/accounts/me/", None, None, 30, **headers)
        assert answer.status == (200 if good else 401), headers
        assert await asyncio.to_thread(_waited, system, headers) is good, headers
        hello = await _first(system.ws_url, headers | {"Origin": system.url})
        assert hello == ("hello" if good else "4401"), headers
    for headers, good in rows:
        if "Cookie" not in headers:
            body = {"item": f"item {uuid.uuid4()}", "price": "1"}
            answer = system.request("POST", "/api/v1/purchases/", body, None, 30, **headers)
            assert answer.status == (201 if good else 401), headers


class _Request:
    def __init__(self, origin: str | None, *, secure: bool) -> None:
        self.META = {} if origin is None else {"HTTP_ORIGIN": origin}
        self.secure = secure

    def get_host(self) -> str:
        return "shop.example.com"

    def is_secure(self) -> bool:
        return self.secure


@override_settings(CSRF_TRUSTED_ORIGINS=["https://*.example.org", "https://other.example:8443"])
@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("https://shop.example.com", True),
        ("http://shop.example.com", False),
        ("https://shop.example.com:8443", False),
        ("https://a.b.example.org", True),
        ("http://a.example.org", False),
        ("https://example.org.evil.example", False),
        ("https://other.example:8443", True),
        ("https://other.example", False),
        ("null", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_an_origin_is_ours_as_django_says_of_forms(origin: str | None, ours: bool) -> None:
    request: Any = _Request(origin, secure=True)
    assert origin_is_ours(request) is ours


def test_a_page_by_plain_http_is_another_origin() -> None:
    request: Any = _Request("https://shop.example.com", secure=False)
    assert not origin_is_ours(request)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (b"Token abc", b"abc"),
        (b"BEARER\tabc ", b"abc"),
        (b"Token", b""),
        (b"", None),
        (b"  ", None),
        (b"Basic abc", None),
        (b"Tokenabc", None),
    ],
)
def test_the_token_of_a_header(header: bytes, token: bytes | None) -> None:
    assert given_token(header) == token


@pytest.mark.system
async def test_staff_who_are_staff_no_more_lose_the_feed_of_everybody(system: System) -> None:
    forget_limits(system)
    name = f"leaving-{uuid.uuid4().hex[:8]}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert system.request("POST", "/api/v1/accounts/", account).status == 201
    token = system.request("POST", "/api/v1/auth/token/", account).json()["token"]

    def let_be_staff(is_staff: bool) -> None:
        with psycopg.connect(system.servers()["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(
                "UPDATE accounts_user SET is_staff = %s WHERE username = %s", [is_staff, name]
            )

    let_be_staff(True)
    headers = {"Authorization": f"Token {token}"}
    async with (
        connect(f"{system.ws_url}?scope=all", additional_headers=headers) as everything,
        connect(system.ws_url, additional_headers=headers) as mine,
    ):
        for socket in (everything, mine):
            assert json.loads(await socket.recv())["type"] == "hello"
        let_be_staff(False)
        await asyncio.wait_for(everything.wait_closed(), 30)
        assert everything.close_code == 4403
        system.request("POST", "/api/v1/purchases/", {"price": "3"}, token)
        while (message := json.loads(await asyncio.wait_for(mine.recv(), 20)))["type"] != "events":
            pass
        assert message["events"][0]["purchase"]["username"] == name
