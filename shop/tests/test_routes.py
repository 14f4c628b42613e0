"""Addresses: an API route has two spellings, and no write is ever redirected."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import URLResolver, get_resolver, reverse

from accounts.models import User
from purchases.models import Purchase
from shop.core.paths import other_spelling

pytestmark = pytest.mark.django_db

WRITES = ("post", "put", "patch", "delete")
BUY = {"price": "7.77"}


def _paths(patterns: Any, prefix: str = "/") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern).lstrip("^")
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, route)
        else:
            yield re.sub(r"<.*?>|\(.*", "joe", route).rstrip("$")


PATHS = sorted(set(_paths(get_resolver().url_patterns)))
API = [
    path
    for path in PATHS
    if path.startswith("/api/") or re.search(r"/(buy|getAllUserBuys|buyList)(/|$)", path)
]


@pytest.fixture
def joe() -> User:
    return User.objects.create_user("joe", password="x", userid="005")


def _client(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def test_api_routes_answer_alike_with_and_without_their_trailing_slash(joe: User) -> None:
    assert len(API) > 15
    for user in (None, joe):
        for number, path in enumerate(API):
            # A session for each spelling, because some routes end one.
            clients = {spelling: _client(user) for spelling in (path, other_spelling(path))}
            methods = ["get", "head", "options", *WRITES]
            if user is None:
                # A path is spelled before anybody is known, so a look and one write stand for all.
                methods = ["get", WRITES[number % len(WRITES)]]
            for method in methods:
                as_written, other = (
                    getattr(client, method)(spelling) for spelling, client in clients.items()
                )
                assert as_written.status_code not in (301, 302, 307, 308), (method, path)
                assert other.status_code == as_written.status_code, (method, path)
                assert other.get("Allow") == as_written.get("Allow"), (method, path)


def test_a_purchase_is_recorded_at_either_spelling(joe: User) -> None:
    client = Client()
    client.force_login(joe)
    for path in ("/api/v1/purchases/", "/buy", "/scalable-shop-cm-server/buy"):
        for spelling in (path, other_spelling(path)):
            for query in ("", "?", "?x", "?x=1"):
                count = Purchase.objects.count()
                answer = client.post(spelling + query, BUY, content_type="application/json")
                assert answer.status_code == (201 if "api" in path else 200), (spelling, query)
                assert Purchase.objects.count() == count + 1, (spelling, query)


@pytest.mark.parametrize(
    "path",
    [
        *("//api/v1/purchases/", "/api//v1/purchases/", "/api/v1//purchases/"),
        *("/api/v1/purchases//", "/API/v1/purchases/", "/api/v1/Purchases"),
        *("/api/v1/purchases;x/", "/api/v1/purchases/x/y/", "/api", "/api/v1", "/api/v2/purchases"),
        *("/BUY", "//x//buy", "/buy//", "/buy/x", "/scalable-shop-cm-server//buy", "/nowhere/"),
        *("/purchases", "/live", "/reports", "/accounts/login", "/accounts/signup", "/admin"),
    ],
)
def test_a_write_to_anything_else_is_not_found(joe: User, path: str) -> None:
    client = Client()
    client.force_login(joe)
    for method in WRITES:
        answer = getattr(client, method)(path, BUY, content_type="application/json")
        assert answer.status_code == 404, method
        assert answer.json()["errors"][0]["code"] == "not_found", method
    assert not Purchase.objects.exists()


@pytest.mark.parametrize(("turn", "who"), list(enumerate(["guest", "joe", "boss"])))
def test_no_write_to_any_route_is_redirected_elsewhere(joe: User, turn: int, who: str) -> None:
    """An accepted form may lead to another page, which does not say that the address moved."""
    boss = User.objects.create_superuser("boss", password="x", userid="1")
    client = _client({"guest": None, "joe": joe, "boss": boss}[who])
    for number, path in enumerate(PATHS):
        # The other spelling is dealt with before any view, so each caller sends another write.
        one = WRITES[(number + turn) % len(WRITES)]
        for spelling, methods in ((path, WRITES), (other_spelling(path), (one,))):
            for method in methods:
                answer = getattr(client, method)(spelling)
                assert answer.status_code not in (301, 307, 308), (method, spelling)
                if answer.status_code == 302:
                    # With `next` it would be the sign-in of a user who has been signed out.
                    assert f"{reverse('account_login')}?" not in answer["Location"], spelling
                    assert spelling == path, (method, spelling)


def test_a_form_that_is_sent_after_the_session_ended_is_not_taken_for_a_look() -> None:
    for path, words in (
        ("/", b"Nothing was recorded"),
        ("/reports/", b"nothing was done"),
        ("/admin/purchases/purchase/", b"nothing was done"),
    ):
        answer = Client().post(path, BUY)
        assert answer.status_code == 403, path
        assert words in answer.content, path


def test_pages_are_still_redirected_to_their_address() -> None:
    answer = Client().get("/purchases?item=book")
    assert (answer.status_code, answer["Location"]) == (301, "/purchases/?item=book")


def test_health_takes_no_writes() -> None:
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert Client().post(path).status_code == 405, path


@override_settings(SECURE_SSL_REDIRECT=True)
def test_a_write_over_plain_http_is_refused_where_https_is_asked_for(joe: User) -> None:
    client = Client()
    client.force_login(joe)
    for path in ("/api/v1/purchases/", "/api/v1/purchases", "/buy", "/"):
        answer = client.post(path, BUY, content_type="application/json")
        assert answer.status_code == 403, path
        assert b"HTTPS" in answer.content, path
    assert not Purchase.objects.exists()
    assert client.get("/purchases/").status_code == 301
    answer = client.post("/buy", BUY, content_type="application/json", secure=True)
    assert answer.status_code == 200


def test_private_answers_are_kept_out_of_shared_caches(joe: User) -> None:
    client = Client()
    client.force_login(joe)
    for path in (
        *("/", "/purchases/", "/reports/", "/accounts/email/", "/accounts/login/", "/admin/"),
        *("/api/v1/purchases/", "/api/v1/accounts/me/", "/api/v1/events/", "/api/v1/nowhere/"),
        *("/getAllUserBuys/joe", "/buyList/joe", "/api/v1/purchases/export.csv", "/documentation"),
    ):
        answer = client.get(path)
        caching = answer["Cache-Control"]
        assert "no-store" in caching or "no-cache" in caching, path
        assert "private" in caching, path
        assert {"Authorization", "Cookie"} <= set(answer["Vary"].split(", ")), path
        assert answer["X-Content-Type-Options"] == "nosniff", path
    answer = client.post("/api/v1/purchases/", BUY, content_type="application/json")
    assert answer["Cache-Control"] == "private, no-store"
    assert client.get(answer["Location"]).json() == answer.json()


def test_what_is_the_same_for_everybody_may_be_cached() -> None:
    for path in ("/documentation/openapi.json", "/robots.txt", "/favicon.ico"):
        answer = Client().get(path)
        assert "max-age=" in answer["Cache-Control"], path
        assert "private" not in answer["Cache-Control"], path
        assert "sessionid" not in answer.cookies, path
        assert "csrftoken" not in answer.cookies, path


def test_the_documentation_sends_what_is_tried_out_as_who_is_signed_in(joe: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert b"data-csrf" not in client.get("/documentation").content
    client.force_login(joe)
    found = re.search(rb'data-csrf="(\w+)"', client.get("/documentation").content)
    assert found
    for token, status in (("", 403), (found[1].decode(), 201)):
        headers = {"X-CSRFToken": token}
        answer = client.post(
            "/api/v1/purchases/", BUY, content_type="application/json", headers=headers
        )
        assert answer.status_code == status
