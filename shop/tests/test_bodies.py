"""Bodies: who may send a large one, how much they may take, and what a full disk does."""

import asyncio
import tempfile
from typing import Any

import pytest

from shop import asgi
from shop.server.bodies import SMALL_BYTES, Bodies

MIB = 1024 * 1024


class Client:
    """Sends the parts of a body at once, and keeps the answer."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.messages = [
            {"type": "http.request", "body": part, "more_body": not ends or index < len(parts)}
            for index, part in enumerate(parts, 1)
        ]
        self.taken = 0
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    async def receive(self) -> Any:
        if not self.messages:
            await asyncio.Event().wait()
        message = self.messages.pop(0)
        self.taken += len(message["body"])  # type: ignore[arg-type]
        return message

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    assert len(scope["shop.body"].read()) == scope["shop.size"]
    headers = [(b"x-size", str(scope["shop.size"]).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def ask(
    bodies: Bodies,
    client: Client,
    length: int | None,
    holder: str = "account:1",
    unsure: int = 0,
    path: str = "/api/v1/bulk/",
) -> Client:
    header = (b"transfer-encoding", b"chunked")
    scope = {
        "path": path,
        "query_string": b"",
        "headers": [header if length is None else (b"content-length", b"%d" % length)],
        "shop.holder": holder,
        "shop.unsure": bool(unsure),
    }
    await bodies(scope, client.receive, client.send)
    return client


@pytest.fixture
def bodies(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Bodies:
    monkeypatch.setattr("shop.server.bodies.LINGER_SECONDS", 0.01)
    settings.BODIES_MEMORY_BYTES = 4 * SMALL_BYTES
    settings.BODIES_DISK_BYTES = 4 * MIB
    return Bodies(echo, {"/api/v1/bulk/": MIB})


@pytest.mark.parametrize(("unsure", "status"), [(False, 401), (True, 503)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_read_only_from_an_account(
    bodies: Bodies, unsure: bool, status: int, chunked: bool
) -> None:
    part = b"x" * SMALL_BYTES
    for holder in ("address:10.0.0.1", "account:1"):
        client = Client(part, part)
        length = None if chunked else 2 * len(part)
        asyncio.run(ask(bodies, client, length, holder, unsure))
        assert client.status == (200 if holder == "account:1" else status)
    small = Client(part)
    asyncio.run(ask(bodies, small, None if chunked else len(part), "address:10.0.0.1", unsure))
    assert small.status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_whoever_signs_a_body_needs_no_account(bodies: Bodies, chunked: bool) -> None:
    """The real site's limits: Stripe's messages may be as large as the documentation says."""
    signed = Bodies(echo, {}, asgi._http.signed)
    for parts, status in ((8, 200), (9, 413)):
        client = Client(*[b"x" * SMALL_BYTES] * parts)
        length = None if chunked else parts * SMALL_BYTES
        path = "/api/v1/billing/webhooks/stripe/"
        asyncio.run(ask(signed, client, length, "address:10.0.0.1", path=path))
        assert client.status == status


def test_bodies_that_stall_take_no_more_than_their_share(bodies: Bodies) -> None:
    async def everything() -> None:
        stalled = [Client(b"x" * 1024, ends=False) for _ in range(200)]
        tasks = [asyncio.create_task(ask(bodies, each, 2048, "address:a")) for each in stalled]
        while not any(each.status for each in stalled):
            await asyncio.sleep(0.01)
        assert bodies.memory.held_by("address:a") <= SMALL_BYTES
        refused = [each for each in stalled if each.status]
        assert {each.status for each in refused} == {429}
        assert all(each.headers[b"retry-after"] for each in refused)
        assert (await ask(bodies, Client(b"x" * 1024), 1024, "address:b")).status == 200
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(everything())
    assert bodies.memory.used == bodies.disk.used == 0


def test_a_full_disk_is_told_and_frees_what_was_written(
    bodies: Bodies, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    half = b"x" * (MIB // 2)
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/missing")
    client = asyncio.run(ask(bodies, Client(half, half), MIB))
    assert client.status == 503
    assert client.headers[b"retry-after"]
    monkeypatch.undo()
    assert asyncio.run(ask(bodies, Client(half, half), MIB)).status == 200
    settings.BODIES_DISK_BYTES = MIB // 4
    narrow = Bodies(echo, {"/api/v1/bulk/": MIB})
    assert asyncio.run(ask(narrow, Client(half, half), MIB)).status == 503
    assert bodies.disk.used == narrow.disk.used == 0
