"""The quota of an account's open sockets in one process, which the handshake reports."""

import asyncio
import json
from typing import Any

import pytest

from accounts.models import Token, User
from events.consumers import FeedConsumer
from events.hub import hub
from shop.core.metrics import registry


def _open(token: str, extensions: dict[str, Any]) -> list[Any]:
    """Open a socket and disconnect at once; return the server's messages."""
    sent: list[Any] = []
    received = iter([{"type": "websocket.connect"}])
    scope = {
        "type": "websocket",
        "path": "/ws/purchases/",
        "scheme": "ws",
        "query_string": b"",
        "headers": [(b"authorization", f"Token {token}".encode())],
        "client": ("127.0.0.1", 50_000),
        "shop.holder": "address:127.0.0.1",
        "extensions": extensions,
    }

    async def receive() -> Any:
        for message in received:
            return message
        await asyncio.sleep(0.2)
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(FeedConsumer()(scope, receive, send))
    return sent


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("room", ["sockets", "addresses"])
def test_one_socket_too_many_is_refused_with_429(room: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(getattr(hub, room), "_share", 1)
    user = User.objects.create(username="joe", userid="005")
    token = Token.objects.create(user)[1]
    with hub.socket(user.pk, "127.0.0.1"):
        start, body = _open(token, {"websocket.http.response": {}})
        assert start["status"] == 429
        assert dict(start["headers"])[b"retry-after"]
        assert json.loads(body["body"])["errors"][0]["code"] == "throttled"
        accepted, closed = _open(token, {})
        assert accepted["type"] == "websocket.accept"
        assert closed["code"] == 1013
    assert not getattr(hub, room).used


@pytest.mark.django_db(transaction=True)
def test_a_closed_socket_gives_its_place_back(monkeypatch: Any) -> None:
    monkeypatch.setattr(hub.sockets, "_share", 1)
    user = User.objects.create(username="joe", userid="005")
    token = Token.objects.create(user)[1]
    for _ in range(2):
        assert _open(token, {})[0]["type"] == "websocket.accept"
    assert not hub.sockets.used


@pytest.mark.django_db(transaction=True)
def test_a_socket_counts_as_a_request(site_settings: Any) -> None:
    site_settings.quota_requests_per_minute = 1
    user = User.objects.create(username="joe", userid="005")
    token = Token.objects.create(user)[1]
    assert _open(token, {"websocket.http.response": {}})[0]["type"] == "websocket.accept"
    assert _open(token, {"websocket.http.response": {}})[0]["status"] == 429


@pytest.mark.django_db(transaction=True)
def test_the_open_sockets_are_a_metric() -> None:
    def count() -> float | None:
        return registry.get_sample_value("shop_open_sockets")

    user = User.objects.create(username="joe", userid="005")
    before = count() or 0
    with hub.socket(user.pk, "127.0.0.1"), hub.socket(user.pk, "127.0.0.1"):
        assert count() == before + 2
        assert _open(Token.objects.create(user)[1], {})[0]["type"] == "websocket.accept"
        assert count() == before + 2
    assert count() == before
