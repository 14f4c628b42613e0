"""What one connection may cost, whatever a client sends and does not read."""

import contextlib
import json
import socket
import time

import psutil
import pytest
from websockets.sync.client import connect

from tests.limits import forget_limits
from tests.system import System
from tests.wires import head

pytestmark = pytest.mark.system

BUY = "/api/v1/purchases/"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def joe(system: System) -> str:
    forget_limits(system)
    return system.token("joe")


def memory(system: System) -> int:
    (pid,) = system.pids("uvicorn")
    return int(psutil.Process(pid).memory_info().rss)


def everything(wire: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := wire.recv(65536):
            answer += part
    return answer


def push(wire: socket.socket, data: bytes, total: int) -> int:
    """Send the data again and again, at most ``total`` bytes. Return how many the server took."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < total:
            sent += wire.send(data)
    return sent


def test_a_trailer_is_no_header(system: System, joe: str) -> None:
    body = b'{"price":"1"}'
    chunked = (
        b"POST /api/v1/purchases/ HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n%b\r\n"
    )
    authorization = f"Authorization: Token {joe}\r\n".encode()
    following = b"GET /api/v1/accounts/me/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for trailers in (authorization, authorization + b"X: y\r\n", b"X: y\r\n" + authorization):
        with socket.create_connection(("127.0.0.1", system.port), 10) as wire:
            wire.sendall(chunked % (len(body), body, trailers))
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                wire.sendall(following)
            answers = everything(wire)
        assert answers.startswith(b"HTTP/1.1 401"), answers
        assert b" 200 OK" not in answers


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"0\r\n", b"X-Trailer: " + b"y" * 1000 + b"\r\n"),
        (b"0\r\nX-Trailer: ", b"y" * 1000),
        (b"1;", b"extension=" + b"y" * 1000 + b";"),
        # Many small headers, and pipelined requests.
        (b"0\r\n\r\nGET / HTTP/1.1\r\n", b"a:\r\n" * 250),
        (b"0\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n" * 40),
    ],
)
def test_what_never_ends_is_cut_off_and_kept_nowhere(
    system: System, joe: str, start: bytes, more: bytes
) -> None:
    begun = (
        f"POST {BUY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {joe}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    before = memory(system)
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(("127.0.0.1", system.port), 3))
            for _ in range(4)
        ]
        for wire in wires:
            wire.sendall(begun + start)
            # The kernel buffers some megabytes that the server never reads.
            assert push(wire, more, 64 * MIB) < 16 * MIB
        assert memory(system) - before < 12 * MIB


def test_pipelined_requests_are_read_as_they_are_answered(system: System, joe: str) -> None:
    authorization = {"Authorization": f"Token {joe}"}
    with connect(system.ws_url, additional_headers=authorization, proxy=None) as feed:
        position = json.loads(feed.recv(timeout=10))["position"]
    asked = head("GET", f"/api/v1/events/?after={position}&wait=3", joe)
    asked += b"GET /livez HTTP/1.1\r\n\r\n" * 40_000
    before = memory(system)
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(("127.0.0.1", system.port), 3))
            for _ in range(8)
        ]
        for wire in wires:
            push(wire, asked, len(asked))
        # Before its first answer a connection has had seconds to send further requests.
        wires[-1].settimeout(30 * system.slowness)
        answer = b""
        while b'"events":[]' not in answer:
            # The body may come after its header.
            part = wires[-1].recv(65536)
            assert part
            answer += part
        assert memory(system) - before < 16 * MIB
        assert system.request("GET", BUY, token=joe).status == 200


def test_no_connection_waits_for_ever(system: System, joe: str) -> None:
    token = f"Authorization: Token {joe}"
    stalled = [
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
        "\r\n",
        f"POST {BUY} HTTP/1.1\r\nHost: localhost\r\n{token}\r\nContent-Length: 60000\r\n\r\n",
        f"POST {BUY} HTTP/1.1\r\nHost: localhost\r\n{token}\r\nContent-Length: 9\r\n\r\n",
        f"POST {BUY} HTTP/1.1\r\nHost: localhost\r\n{token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 9\r\n\r\n",
        *(
            f"{method} {BUY} HTTP/1.1\r\nHost: localhost\r\n{token}\r\nConnection: upgrade\r\n"
            f"Upgrade: {protocol}\r\nContent-Length: 9\r\n\r\n"
            for method in ("POST", "GET")
            for protocol in ("websocket", "h2c")
        ),
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
    ]
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(("127.0.0.1", system.port), 10))
            for _ in stalled
        ]
        for wire, data in zip(wires, stalled, strict=True):
            wire.sendall(data.encode())
        for _ in range(10):
            time.sleep(1)
            # A client that sends one byte at a time does not keep its connection.
            with contextlib.suppress(OSError):
                wires[1].send(b"\r\n")
        for wire, data in zip(wires, stalled, strict=True):
            wire.settimeout(5 * system.slowness)
            try:
                everything(wire)
            except TimeoutError:
                pytest.fail(f"still open: {data!r}")
