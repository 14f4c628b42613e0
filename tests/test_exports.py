"""Exports of a running system, to clients that do not read, that leave, and that ask too much."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.limits import forget_limits
from tests.system import System, wait_for
from tests.wires import head

pytestmark = pytest.mark.system

LINES = 50_000
SHORT = 1_001
"""The shortest export that is streamed."""
PATH = "/api/v1/purchases/export.jsonl?username=exported"


@pytest.fixture(scope="module")
def staff(system: System) -> str:
    """Record more purchases than sockets buffer. Return the token of their reader."""
    forget_limits(system)
    till = system.token("till")
    lines = (
        f"exported,exported,{'a long name ' * 5}{number},1.5,2024-05-31T15:54:32Z"
        for number in range(LINES)
    )
    short = (f"shortly,shortly,{number},1.5,2024-05-31T15:54:32Z" for number in range(SHORT))
    body = "\n".join(["username,userid,item,price,timestamp", *lines, *short]).encode()
    answer = system.request(
        "POST", "/api/v1/purchases/bulk/", body, till, timeout=120, Content_Type="text/csv"
    )
    assert answer.json()["recorded"] == LINES + SHORT, answer.body[:1000]
    return system.token("staff")


@contextlib.contextmanager
def asking(
    system: System, token: str, count: int, path: str = PATH
) -> Iterator[list[socket.socket]]:
    """Ask ``count`` times at once, and do not read the answers."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", system.port))
            client.sendall(head("GET", PATH, token))
            sockets.append(client)
        yield sockets


def copies(system: System) -> list[int]:
    """Return PostgreSQL's processes that are writing an export."""
    with psycopg.connect(system.servers()["DATABASE_OWNER_URL"]) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%%'"
            " AND state = 'active'"
        )
        return [pid for (pid,) in rows]


def test_an_export_of_many_blocks_is_whole(system: System, staff: str) -> None:
    answer = system.request("GET", PATH, token=staff, timeout=120)
    assert answer.status == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-ID"]
    assert answer.body.count(b"\n") == LINES
    listed = system.request("GET", "/buyList/exported", token=staff, timeout=120).json()
    assert listed["status"] == "Ok!"
    assert len(listed["purchases"]) == LINES


def test_deaf_clients_hold_two_places_and_nobody_else_up(system: System, staff: str) -> None:
    joe = system.token("joe")
    with asking(system, staff, 12) as clients:
        wait_for(lambda: len(copies(system)) == 2)
        started = time.monotonic()
        for path in ("/api/v1/purchases/", PATH.partition("?")[0], "/buyList/joe", "/purchases/"):
            assert system.request("GET", path, token=joe, timeout=60).status == 200
        assert time.monotonic() - started < 6 * system.slowness
        # Two are served, and four wait for a while. The others are refused at once.
        refused = [client for client in clients if first_line(client).startswith(b"HTTP/1.1 429")]
        assert len(refused) == 6
        assert len(copies(system)) == 2
    wait_for(lambda: not copies(system))


def first_line(client: socket.socket) -> bytes:
    """Return the beginning of the answer, as far as it comes at once."""
    client.settimeout(0.2)
    try:
        return client.recv(64)
    except TimeoutError:
        return b""


def test_clients_that_leave_at_once_leave_nothing_running(system: System, staff: str) -> None:
    with asking(system, staff, 16):
        pass
    with asking(system, staff, 2):
        wait_for(lambda: copies(system))
    wait_for(lambda: not copies(system))
    assert system.request("GET", PATH, token=staff, timeout=120).body.count(b"\n") == LINES


def test_exports_one_after_another_share_a_connection(system: System, staff: str) -> None:
    """More of them than psycopg leaves unprepared, and one after PostgreSQL has ended it."""

    def kept() -> list[int]:
        with psycopg.connect(system.servers()["DATABASE_OWNER_URL"]) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COMMIT -- of an export%%'"
            ).fetchall()
            return [pid for (pid,) in rows]

    path = "/api/v1/purchases/export.csv?username=shortly"
    first = system.request("GET", path, token=staff)
    assert first.headers["Transfer-Encoding"] == "chunked"
    assert first.body.count(b"\n") == SHORT + 1
    before = kept()
    assert len(before) in (1, 2)
    for _ in range(7):
        assert system.request("GET", path, token=staff).body == first.body
    assert kept() == before
    with psycopg.connect(system.servers()["DATABASE_OWNER_URL"]) as database:
        for pid in before:
            database.execute("SELECT pg_terminate_backend(%s)", [pid])
    wait_for(lambda: not kept())
    assert system.request("GET", path, token=staff).body == first.body


def test_asking_for_headers_only_costs_nothing(system: System, staff: str) -> None:
    for path in (PATH, "/api/v1/purchases/export.csv", "/api/v1/purchases/export.xlsx") * 6:
        answer = system.request("HEAD", path, token=staff)
        assert (answer.status, answer.body) == (200, b"")
    assert not copies(system)


def test_an_export_that_postgresql_ends_is_not_taken_for_a_whole_one(
    system: System, staff: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=60)
    headers: dict[str, Any] = {"Authorization": f"Token {staff}"}
    connection.request("GET", PATH, headers=headers)
    answer = connection.getresponse()
    assert answer.read(1000)
    (pid,) = wait_for(lambda: copies(system))
    with psycopg.connect(system.servers()["DATABASE_OWNER_URL"]) as database:
        database.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
