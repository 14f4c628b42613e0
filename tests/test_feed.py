"""Clients that wait for events, on sockets or by long polls: what they get and what they cost."""

import asyncio
import http.client
import json
import select
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from websockets.asyncio.client import connect

from tests.system import FEED, Answer, System, running, wait_for

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose accounts may have few long polls."""
    folder: Path = tmp_path_factory.mktemp("feed") / "data"
    with running(
        folder,
        FEED,
        QUOTA_SOCKETS="20",
        QUOTA_ADDRESS_SOCKETS="30",
        QUOTA_REQUESTS_PER_MINUTE="600",
    ) as system:
        yield system


def _poll(system: System, token: str, after: int, wait: int = 20) -> Answer:
    return system.request("GET", f"/api/v1/events/?after={after}&wait={wait}", token=token)


def _buy(system: System, token: str) -> str:
    item = f"feed {uuid.uuid4()}"
    body = {"item": item, "price": "1"}
    assert system.request("POST", "/api/v1/purchases/", body, token).status == 201
    return item


async def _close_code(url: str, token: str) -> int | None:
    async with connect(url, additional_headers={"Authorization": f"Token {token}"}) as feed:
        await asyncio.wait_for(feed.wait_closed(), 10)
        return feed.close_code


async def test_a_position_never_given_out_is_refused_everywhere(site: System) -> None:
    joe = site.token("joe")
    end = await asyncio.to_thread(site.log_end, joe)
    for beyond in (end + 1, end + 1000, 2**63 - 1):
        for wait in (0, 20):
            answer = await asyncio.to_thread(_poll, site, joe, beyond, wait)
            assert answer.status == 409
            assert answer.json()["errors"][0]["code"] == "position_unknown"
        assert await _close_code(f"{site.ws_url}?after={beyond}", joe) == 4409
    assert (await asyncio.to_thread(_poll, site, joe, end, 1)).json() == {
        "events": [],
        "position": end,
    }


async def test_a_ledger_that_is_set_back_while_sockets_are_open_is_noticed(site: System) -> None:
    """Like a restore of an older backup below running processes."""
    joe, ann = site.token("joe"), site.token("ann")
    before = end = await asyncio.to_thread(site.log_end, joe)
    for _ in range(3):
        _buy(site, joe)
    while end < before + 3:
        end = await asyncio.to_thread(site.log_end, joe)
    headers = {"Authorization": f"Token {joe}"}
    async with connect(f"{site.ws_url}?after={end}", additional_headers=headers) as feed:
        assert json.loads(await feed.recv())["position"] == end
        with (
            psycopg.connect(site.servers()["DATABASE_OWNER_URL"], autocommit=True) as owner,
            owner.transaction(),
        ):
            owner.execute("SET LOCAL session_replication_role = replica")
            owner.execute("DELETE FROM events_event WHERE position > %s", [end - 2])
            # A PostgreSQL that was stopped for the restore would do so.
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'relay'"
            )
        await asyncio.wait_for(feed.wait_closed(), 20)
        assert feed.close_code == 4409
    assert (await asyncio.to_thread(_poll, site, joe, end)).status == 409
    again = await asyncio.to_thread(site.log_end, joe)
    assert again <= end - 2
    item = await asyncio.to_thread(_buy, site, ann)
    page = (await asyncio.to_thread(_poll, site, ann, again)).json()
    assert [event["purchase"]["item"] for event in page["events"]] == [item]


async def test_a_till_hears_of_what_it_recorded_until_it_may_not_any_more(
    site: System,
) -> None:
    """Live, replayed and by long poll; a right that is taken away closes what it had opened."""
    till, staff = site.token("till"), site.token("staff")
    end = await asyncio.to_thread(site.log_end, till)
    url = f"{site.ws_url}?after={end}"
    headers = {"Authorization": f"Token {till}"}

    def record(item: str, token: str = till) -> None:
        body = {"item": item, "price": "1", "username": "joe", "userid": "005"}
        assert site.request("POST", "/api/v1/purchases/", body, token).status == 201

    async def items(feed: Any, count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            message = json.loads(await asyncio.wait_for(feed.recv(), 20))
            found += [event["purchase"]["item"] for event in message.get("events", [])]
        return found

    async with connect(url, additional_headers=headers) as feed:
        poll = asyncio.create_task(asyncio.to_thread(_poll, site, till, end))
        await asyncio.to_thread(_buy, site, site.token("ann"))
        await asyncio.to_thread(record, "by staff", staff)
        await asyncio.to_thread(record, "by the till")
        assert await items(feed, 1) == ["by the till"]
        polled = (await poll).json()["events"]
        assert [event["purchase"]["item"] for event in polled] == ["by the till"]
        async with connect(url, additional_headers=headers) as again:
            assert await items(again, 1) == ["by the till"]
        everything = {"Authorization": f"Token {staff}"}
        async with connect(url + "&scope=all", additional_headers=everything) as all_of_it:
            assert len(await items(all_of_it, 3)) == 3
            with psycopg.connect(site.servers()["DATABASE_OWNER_URL"], autocommit=True) as owner:
                change = "UPDATE accounts_user SET {} WHERE username = %s"
                owner.execute(change.format("is_client = false"), ["till"])
                owner.execute(
                    "UPDATE knox_authtoken SET permissions = 1 FROM accounts_user AS account"
                    " WHERE account.id = user_id AND username = 'staff'"
                )
                try:
                    for socket in (feed, all_of_it):
                        await asyncio.wait_for(socket.wait_closed(), 60)
                        assert socket.close_code == 4403
                finally:
                    owner.execute(change.format("is_client = true"), ["till"])


def test_every_poll_of_a_customer_is_woken_with_the_same_event(site: System) -> None:
    joe, ann = site.token("joe"), site.token("ann")
    after = site.log_end(joe)
    with ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(_poll, site, joe, after) for _ in range(10)]
        other = threads.submit(_poll, site, ann, after, 3)
        time.sleep(1)
        item = _buy(site, joe)
        pages = [poll.result().json() for poll in asked]
    for page in pages:
        assert [event["purchase"]["item"] for event in page["events"]] == [item]
        assert page["position"] > after
    assert other.result().json()["events"] == []
    # The long poll got what the view returns for the same position.
    seen = site.request("GET", f"/api/v1/events/?after={after}", token=joe).json()
    assert seen["events"] == pages[0]["events"]


def test_polls_have_a_cap_and_others_do_not_feel_them(site: System) -> None:
    joe, ann = site.token("joe"), site.token("ann")
    after = site.log_end(joe)
    connections = []
    for _ in range(40):
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        path = f"/api/v1/events/?after={after}&wait=15"
        connection.request("GET", path, headers={"Authorization": f"Token {joe}"})
        connections.append(connection)
    wait_for(lambda: sum(map(_readable, connections)) == 20, 10)
    refused = filter(_readable, connections)
    for connection in refused:
        answer = connection.getresponse()
        assert answer.status == 429
        assert answer.headers["Retry-After"]
    # This address has ten more places, for all accounts together.
    timer = threading.Timer(0.3, _buy, (site, ann))
    timer.start()
    assert _poll(site, ann, after).json()["events"]
    timer.join()
    # The places are free once the clients leave, although their time is not over.
    for connection in connections:
        connection.close()
    wait_for(lambda: _poll(site, joe, after, 1).status == 200, 10)


def _readable(connection: http.client.HTTPConnection) -> bool:
    return bool(select.select([connection.sock], [], [], 0)[0])


def _socket(system: System, token: str) -> socket.socket:
    """Open a websocket by hand. Return its connection, which nobody reads any more."""
    raw = socket.create_connection(("127.0.0.1", system.port), timeout=5)
    raw.sendall(
        b"GET /ws/purchases/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Token %b\r\n\r\n"
        % (system.port, token.encode())
    )
    assert b" 101 " in raw.recv(4096)
    return raw


def _frame(opcode: int, payload: bytes = b"") -> bytes:
    """Return a client's frame, masked with zeros."""
    return bytes([opcode, 0x80 | len(payload)]) + bytes(4) + payload


@pytest.mark.parametrize("opcode", [0x89, 0x8A])
def test_a_client_that_floods_pings_or_pongs_is_not_read(site: System, opcode: int) -> None:
    """Each frame costs the event loop the same, whatever its size."""
    raw = _socket(site, site.token("joe"))
    block = _frame(opcode) * 1000
    sent, limit = 0, 48 * 1024 * 1024
    with raw:
        raw.settimeout(3)
        try:
            while sent < limit:
                raw.sendall(block)
                sent += len(block)
        except TimeoutError:
            pass
    assert sent < limit
    assert site.healthy()


def test_pings_at_an_ordinary_pace_are_answered(site: System) -> None:
    with _socket(site, site.token("joe")) as raw:
        raw.sendall(_frame(0x89, b"here") * 50)
        received = b""
        while received.count(b"\x8a\x04here") < 50:
            part = raw.recv(4096)
            assert part, received
            received += part


def test_a_message_of_endless_empty_fragments_is_cut(site: System) -> None:
    with _socket(site, site.token("joe")) as raw:
        raw.sendall(_frame(0x01) + _frame(0x00) * 1000)
        received = b""
        # The close frame, 1009, comes last.
        while part := raw.recv(4096):
            received += part
    assert (1009).to_bytes(2) in received
