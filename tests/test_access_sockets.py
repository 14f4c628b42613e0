"""The access table's sockets, for every kind of caller, on the running site."""

import asyncio
import json
import re
import uuid

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from shop.routes import websocket_urlpatterns
from tests.access import PASSWORD
from tests.sessions import Browser
from tests.system import System
from tests.world import DECLARED

SOCKETS: dict[str, dict[str, str]] = {}
for each in DECLARED.values():
    SOCKETS |= each.sockets


def test_every_socket_has_a_row_and_every_row_a_socket() -> None:
    assert {row.partition("?")[0] for row in SOCKETS} == {
        str(pattern.pattern) for pattern in websocket_urlpatterns
    }


async def _socket(url: str, token: str | None) -> str:
    headers = {"Authorization": f"Token {token}"} if token else {}
    async with connect(url, additional_headers=headers) as ws:
        try:
            return str(json.loads(await asyncio.wait_for(ws.recv(), 10))["type"])
        except ConnectionClosed:
            return str(ws.close_code)


@pytest.mark.system
async def test_sockets(system: System) -> None:
    """Staff deactivates the account from outside, after its sign-up."""
    name = f"gone-{uuid.uuid4().hex[:8]}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert system.request("POST", "/api/v1/accounts/", account).status == 201
    signed_in = system.request(
        "POST", "/api/v1/auth/token/", {"username": name, "password": PASSWORD}
    )
    tokens: dict[str, str | None] = {
        "anonymous": None,
        "owner": system.token("joe"),
        "other": system.token("ann"),
        "client": system.token("till"),
        "admin": system.token("staff"),
        "finance": system.token("fin"),
        "support": system.token("eve"),
        "revoked": system.token("joe"),
        "deactivated": signed_in.json()["token"],
    }
    assert await _socket(system.ws_url, tokens["deactivated"]) == "hello"
    assert system.request("POST", "/api/v1/auth/logout/", token=tokens["revoked"]).status == 204
    browser = Browser(system)
    browser.sign_in("staff", "demo-staff")
    listed = browser.http.get("/admin/accounts/user/", params={"q": name}).text
    id = re.findall(r"/admin/accounts/user/(\d+)/change/", listed)[0]
    done = browser.post(
        "/admin/accounts/user/", action="deactivate", _selected_action=id, index="0"
    )
    assert done.status_code == 302
    browser.http.close()
    for row, expected in SOCKETS.items():
        found = {
            actor: await _socket(f"ws://127.0.0.1:{system.port}/{row}", token)
            for actor, token in tokens.items()
        }
        assert found == {actor: expected.get(actor, expected["default"]) for actor in tokens}, row
