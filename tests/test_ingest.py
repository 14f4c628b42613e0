"""The batched path of single purchases, byte by byte over real connections."""

import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from shop.core.paths import other_spelling
from tests.system import System

PATH = "/api/v1/purchases/"


class Connection:
    """A connection that sends raw bytes and receives whole answers."""

    def __init__(self, system: System) -> None:
        self.socket = socket.create_connection(("127.0.0.1", system.port), timeout=15)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and decoded body of the next answer."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        is_json = headers["content-type"] == "application/json"
        return int(first.split()[1]), headers, json.loads(body) if is_json else body

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, f"closed with {self.buffer!r}"
        self.buffer += data

    def closed(self) -> bool:
        """Return whether the server closes the connection without another byte."""
        return self.socket.recv(1) == b""


@contextmanager
def connected(system: System) -> Iterator[Connection]:
    connection = Connection(system)
    try:
        yield connection
    finally:
        connection.socket.close()


def post(token: str, body: dict[str, Any], *, version: str = "1.1", **headers: str) -> bytes:
    """Return a request as bytes."""
    data = json.dumps(body).encode()
    lines = [
        f"POST {PATH} HTTP/{version}",
        "Host: localhost",
        f"Authorization: Token {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def book(price: str = "1.00") -> dict[str, Any]:
    return {"item": f"book {uuid.uuid4()}", "price": price, "timestamp": "2024-05-31T15:54:32Z"}


@pytest.fixture(scope="module")
def joe(system: System) -> str:
    return system.token("joe")


def test_pipelined_requests_are_answered_in_order(system: System, joe: str) -> None:
    bodies = [book(f"{number}.00") for number in range(1, 4)]
    with connected(system) as connection:
        connection.send(
            post(joe, bodies[0])
            + post(joe, bodies[1])
            + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
            + post(joe, {"item": "without a price"})
            + post(joe, bodies[2])
        )
        first, second, alive, bad, third = (connection.answer() for _ in range(5))
    assert [answer[0] for answer in (first, second, bad, third)] == [201, 201, 400, 201]
    assert [answer[2]["price"] for answer in (first, second, third)] == ["1.00", "2.00", "3.00"]
    assert alive[0] == 200
    assert bad[2]["errors"][0]["code"] == "required"


def test_a_body_may_come_in_pieces(system: System, joe: str) -> None:
    request = post(joe, book())
    with connected(system) as connection:
        for start in range(0, len(request), 37):
            connection.send(request[start : start + 37])
            time.sleep(0.002)
        assert connection.answer()[0] == 201


@pytest.mark.parametrize(
    ("version", "headers", "closes"),
    [("1.1", {}, False), ("1.1", {"Connection": "close"}, True), ("1.0", {}, True)],
)
def test_a_connection_stays_open_as_its_client_wishes(
    system: System, joe: str, version: str, headers: dict[str, str], closes: bool
) -> None:
    with connected(system) as connection:
        connection.send(post(joe, book(), version=version, **headers))
        assert connection.answer()[0] == 201
        if closes:
            assert connection.closed()
        else:
            connection.send(post(joe, book()))
            assert connection.answer()[0] == 201


def test_a_client_that_asks_first_is_told_to_go_on(system: System, joe: str) -> None:
    head, _, body = post(joe, book(), Expect="100-continue").partition(b"\r\n\r\n")
    with connected(system) as connection:
        connection.send(head + b"\r\n\r\n")
        assert connection.socket.recv(1024).startswith(b"HTTP/1.1 100 ")
        connection.send(body)
        assert connection.answer()[0] == 201


def test_the_requests_own_id_comes_back_if_it_is_a_good_one(system: System, joe: str) -> None:
    with connected(system) as connection:
        connection.send(post(joe, book(), X_Request_ID="till-7.42"))
        assert connection.answer()[1]["x-request-id"] == "till-7.42"
        connection.send(post(joe, book(), X_Request_ID="not a good one"))
        assert re.fullmatch(r"[0-9a-f]{32}", connection.answer()[1]["x-request-id"])


def test_a_revoked_token_records_nothing_from_then_on(system: System) -> None:
    token = system.token("ann")
    with connected(system) as connection:
        for _ in range(3):
            connection.send(post(token, book()))
            assert connection.answer()[0] == 201
        assert system.request("POST", "/api/v1/auth/logout/", token=token).status == 204
        connection.send(post(token, book()))
        status, headers, answer = connection.answer()
    assert status == 401
    assert headers["www-authenticate"] == "Token"
    assert answer["errors"][0]["code"] == "authentication_failed"


def test_a_till_names_customers_known_and_new(system: System) -> None:
    till = system.token("till")
    new = f"c{uuid.uuid4().hex[:12]}"
    with connected(system) as connection:
        for _ in range(3):
            for userid, username in (("005", "joe"), (new, f"name-{new}")):
                connection.send(post(till, book() | {"userid": userid, "username": username}))
                status, _, answer = connection.answer()
                assert (status, answer["userid"], answer["username"]) == (201, userid, username)
        connection.send(post(till, book() | {"userid": new, "username": "joe"}))
        assert connection.answer()[0] == 409


def test_many_at_once_with_repeats_and_errors_each_get_their_own_answer(
    system: System, joe: str
) -> None:
    ann = system.token("ann")
    same = book()
    kinds: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        (joe, {}, (201,)),
        (joe, {"item": same["item"]}, (200, 201)),
        (ann, {"price": "1.001"}, (400,)),
        (ann, {"username": "joe"}, (403,)),
        ("x" * 64, {}, (401,)),
        (ann, {}, (201,)),
    ]
    wrong: list[Any] = []
    ids: set[str] = set()

    def client(number: int) -> None:
        with connected(system) as connection:
            for turn in range(20):
                token, changes, expected = kinds[(number + turn) % len(kinds)]
                connection.send(post(token, book() | changes))
                status, _, answer = connection.answer()
                if status not in expected:
                    wrong.append((status, expected, answer))
                if changes.get("item"):
                    ids.add(answer["id"])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(ids) == 1


def test_every_way_into_the_ledger_takes_both_spellings_of_its_address(system: System) -> None:
    """``curl -L -d`` sends so. A client that follows redirects loses no acknowledged purchase."""
    token = system.token("joe")
    names = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
    with httpx.Client(base_url=system.url, headers=names, follow_redirects=True) as client:
        for path in ("/api/v1/purchases/", "/buy", "/scalable-shop-cm-server/buy"):
            for spelling in (path, other_spelling(path)):
                answer = client.post(spelling, json={"item": spelling, "price": "7.77"})
                assert answer.status_code in (200, 201), spelling
                assert not answer.history, spelling
                # The batched path has answered, not the view.
                assert "content-security-policy" not in answer.headers, spelling
                id = answer.json().get("id") or answer.json()["_id"]
                assert client.get(f"/api/v1/purchases/{id}").status_code == 200, spelling
        lines = b'{"price":"1.00","item":"' + b"x" * 190 + b'"}\n'
        answer = client.post(
            "/api/v1/purchases/bulk?dry_run=1",
            content=lines * 6000,
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.json()["recorded"] == 6000
        after, events, started = 0, True, 0.0
        while events:
            started = time.monotonic()
            page = client.get("/api/v1/events", params={"after": after, "wait": 1}).json()
            after, events = page["position"], bool(page["events"])
        # The long poll waited, while the view alone would answer at once.
        assert time.monotonic() - started > 0.9
