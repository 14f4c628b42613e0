"""Every kind of credential on every path of the running site: what it opens, and what not."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.sessions import Browser
from tests.system import System

pytestmark = pytest.mark.system
KEYS = "/api/v1/keys/"
HERE = "127.0.0.0/8"


Send = Callable[..., httpx.Response]


@pytest.fixture
def send(system: System) -> Iterator[Send]:
    """A browser of ann's that has just signed in."""
    browser = Browser(system)
    browser.sign_in("ann", "demo-ann")
    browser.http.get("/accounts/keys/")

    def send(method: str, path: str, body: Any = None) -> httpx.Response:
        token = browser.http.cookies[f"csrftoken_{system.port}"]
        return browser.http.request(
            method, path, json=body, headers={"X-CSRFToken": token, "Referer": system.url}
        )

    yield send
    browser.http.close()


async def _first(url: str, **headers: str) -> str:
    """Return the first message of a socket, or why there is none."""
    try:
        async with connect(url, additional_headers=headers) as feed:
            try:
                return str(json.loads(await asyncio.wait_for(feed.recv(), 10))["type"])
            except Exception:
                await asyncio.wait_for(feed.wait_closed(), 10)
                return str(feed.close_code)
    except InvalidStatus as error:
        return str(error.response.status_code)


def _tried(system: System, text: str, **headers: str) -> dict[str, Any]:
    """Return the answer of each path to a credential."""
    given: Any = {"Authorization": f"Bearer {text}", **headers}
    item = f"key {uuid.uuid4()}"

    def status(method: str, path: str, body: Any = None) -> int:
        return system.request(method, path, body, **given).status

    buy = {"item": item, "price": "1"}
    answers: dict[str, Any] = {
        # The second is recorded by the fast path, if that is allowed.
        "buys": [
            status("POST", "/api/v1/purchases/", buy | {"quantity": number}) for number in (1, 2)
        ],
        "original": status("POST", "/buy", {"itemname": item, "price": 1}),
        "bulk": status("POST", "/api/v1/purchases/bulk/", [buy | {"quantity": 3}]),
        "list": status("GET", "/api/v1/purchases/?page_size=1"),
        "export": status("GET", "/api/v1/purchases/export.csv?page_size=1"),
        "poll": status("GET", "/api/v1/events/?after=0&limit=1&wait=1"),
        "everybody": status("GET", "/api/v1/events/?scope=all"),
        "keys": status("GET", KEYS),
        "page": system.request("GET", "/accounts/keys/", **given).body.count(b"shk_"),
        "socket": asyncio.run(_first(system.ws_url, **given)),
    }
    ticket = system.request("POST", "/api/v1/live-ticket/", **given)
    answers["ticket"] = ticket.status
    if ticket.status == 200:
        url = f"{system.ws_url}?ticket={ticket.json()['ticket']}"
        answers["ticket"] = asyncio.run(_first(url))
    return answers


def test_a_key_and_its_jwt_are_taken_on_every_path_until_they_end(
    system: System, send: Send
) -> None:
    body = {"name": "till", "permissions": ["purchases:read", "purchases:write"]}
    made = send("POST", KEYS, body | {"networks": []}).json()
    pair = system.request("POST", "/api/v1/auth/jwt/", {}, made["key"]).json()
    bound = send("POST", KEYS, body | {"networks": [HERE]}).json()
    away = send("POST", KEYS, body | {"networks": ["10.0.0.0/8", "::1"]}).json()
    nothing = send("POST", KEYS, {"name": "nothing"}).json()
    good = {
        "buys": [201, 201],
        "original": 200,
        "bulk": 200,
        "list": 200,
        "export": 200,
        "poll": 200,
        "everybody": 403,
        "keys": 403,
        "page": 0,
        "socket": "hello",
        "ticket": "hello",
    }
    refused = dict.fromkeys(good, 401) | {"buys": [401, 401], "page": 0, "socket": "4401"}
    for text in (made["key"], pair["access"], bound["key"]):
        assert _tried(system, text) == good
    empty = _tried(system, nothing["key"])
    assert [empty[path] for path in ("original", "bulk", "list", "poll")] == [403] * 4
    assert (empty["buys"], empty["socket"]) == ([403, 403], "4403")
    for text in (made["prefix"], made["id"], pair["refresh"], "shk_" + "A" * 43):
        assert _tried(system, text) == refused
    assert _tried(system, away["key"]) == refused
    for header in ("X_Forwarded_For", "X_Real_IP", "CF_Connecting_IP", "Forwarded"):
        assert _tried(system, away["key"], **{header: "10.0.0.1"}) == refused, header
    assert send("DELETE", f"{KEYS}{made['id']}/").status_code == 204
    # The fast path knew both, and asks again at each purchase.
    for text in (made["key"], pair["access"]):
        assert _tried(system, text) == refused
    answer = system.request("POST", "/api/v1/auth/jwt/refresh/", {"refresh": pair["refresh"]})
    assert answer.status == 401
