"""Heads of requests: headers, paths, queries, and what is no HTTP."""

import contextlib
import json
import socket

import pytest

from tests.inputs.wire import API, http, raw
from tests.system import System

pytestmark = pytest.mark.system


def test_headers(system: System, joe: str) -> None:
    for headers in (
        {f"X_{number}": "y" * 100 for number in range(2000)},
        {"X_Long": "y" * 300_000},
        {"Cookie": "sessionid=" + "x" * 60_000},
        {"Cookie": b"sessionid=\xff\xfe; csrftoken=\x80"},
        {"Cookie": "=" * 5000},
        {"Authorization": b"Token \xff\xff"},
        {"Authorization": "Token"},
        {"Authorization": "Token " + "x" * 60_000},
        {"Authorization": "Basic !!!!"},
        {"Authorization": "Bearer x"},
        {"Accept": "text/html"},
        {"Accept": ";q=,"},
        {"Accept_Language": "x" * 5000},
        {"Idempotency_Key": "x" * 256},
        {"Idempotency_Key": ""},
        {"Idempotency_Key": b"\xc3\xa9\x80"},
        {"X_Request_ID": "x\ty" * 1000},
        {"Range": "bytes=0-1000000000000"},
        {"If_Modified_Since": "yesterday"},
        {"X_Forwarded_For": "1.2.3.4, " * 500},
        {"X_Forwarded_Host": "evil.example"},
        {"Host": "evil.example"},
    ):
        for method, path in (("GET", "/api/v1/accounts/me/"), ("POST", API), ("GET", "/")):
            body = b'{"price": 0}' if method == "POST" else None
            reply = http(system, method, path, body, **headers)
            assert reply.status < 500, (headers, reply)
            assert reply.is_clear(path), (headers, reply)


def test_a_flood_of_headers_that_never_ends_is_cut_off(system: System) -> None:
    for start, more in (
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Flood: " + b"y" * 5000 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Flood: ", b"y" * 5000),
        (b"GET /", b"y" * 5000),
    ):
        sent = 0
        with (
            socket.create_connection(("127.0.0.1", system.port), timeout=10) as wire,
            contextlib.suppress(ConnectionResetError, BrokenPipeError),
        ):
            wire.sendall(start)
            while sent < 64 * 1024 * 1024:
                sent += wire.send(more)
        # The kernel has buffered this much; it is not in the server's memory.
        assert sent < 16 * 1024 * 1024


def test_requests_that_are_no_http(system: System) -> None:
    for data in (
        b"\r\n\r\n",
        b"\x00" * 1000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"G\xff\xffT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x00Y: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ):
        try:
            reply = raw(system, data, 1)
        except TimeoutError:
            # The server waits for the rest of what it takes for a request.
            continue
        assert reply.status < 500, (data[:60], reply)


PATHS = [
    b"/api/v1/../../etc/passwd",
    b"/static/../shop/settings.py",
    b"/static/..%2f..%2fshop/settings.py",
    b"/static/%2e%2e/%2e%2e/etc/passwd",
    b"/static//etc/passwd",
    b"//api/v1/purchases/",
    b"//evil.example/",
    b"/api//v1/purchases/",
    b"/api/v1/purchases",
    b"/api/v1/purchases/%00/",
    b"/api/v1/purchases/%2e%2e/",
    b"/api/v1/purchases/..%2f/",
    b"/api/v1/purchases/%ff%fe/",
    b"/api/v1/purchases/\xff/",
    b"/api/v1/purchases/" + b"x" * 20_000,
    b"/api/v1/purchases/?cursor=" + b"x" * 20_000,
    b"/api/v1/purchases/?cursor=%00",
    b"/api/v1/purchases/?item=%ff",
    b"/api/v1/purchases/?item=\xff",
    b"/api/v1/purchases/?" + b"a&" * 3000,
    b"/api/v1/purchases/?since=1&since=2",
    b"/api/v1/purchases/?page_size=-1",
    b"/api/v1/purchases/?page_size=1e5",
    b"/api/v1/purchases/?page_size=%D9%A1",
    b"/api/v1/purchases/?min_price=NaN",
    b"/api/v1/purchases/?min_price=Infinity",
    b"/api/v1/purchases/?min_price=1e1000",
    b"/api/v1/purchases/?since=0000-00-00",
    b"/api/v1/purchases/?until=9999-12-31",
    b"/api/v1/purchases/?since=9999-12-31T23:59:59-14:00",
    b"/api/v1/purchases/?username=" + b"x" * 200,
    b"/api/v1/purchases/?format=html",
    b"/api/v1/purchases/export.csv?since=x",
    b"/api/v1/events/?after=-1",
    b"/api/v1/events/?after=99999999999999999999",
    b"/api/v1/events/?wait=31",
    b"/api/v1/events/?wait=\xff",
    b"/api/v1/events/?wait=1&wait=2",
    b"/api/v1/reports/00000000-0000-0000-0000-000000000000/pdf/",
    b"/api/v1/reports/../",
    b"/api/v1/",
    b"/api/",
    b"/api",
    b"/getAllUserBuys/%2e%2e%2fann",
    b"/getAllUserBuys/" + b"x" * 300,
    b"/getAllUserBuys/%00",
    b"/getAllUserBuys/joe/../ann",
    b"/documentation/../admin/",
    b"/documentation/openapi.json/..",
    b"/admin/../admin/",
    b"/admin/accounts/user/1%27%20OR%201=1/change/",
    b"/?%00=1",
    b"/\xe2\x80\xae",
]


@pytest.mark.parametrize("signed_in", [False, True])
def test_paths_and_queries(system: System, joe: str, signed_in: bool) -> None:
    for path in PATHS:
        reply = http(system, "GET", path, token=joe if signed_in else "")
        assert reply.status < 500, (path[:80], reply)
        assert reply.is_clear(path.decode("latin-1")), (path[:80], reply)
        assert b"root:" not in reply.body
        assert b"SECRET_KEY" not in reply.body
        assert b"Location: //" not in reply.head.title()


def test_a_parameter_given_twice_is_refused_and_an_unknown_one_left_aside(
    system: System, joe: str
) -> None:
    refused = system.request("GET", f"{API}?since=2024-01-01&since=2024-01-02", token=joe)
    assert refused.status == 400
    assert refused.json()["errors"][0] == {
        "code": "repeated",
        "detail": "Give each parameter once.",
        "attr": "since",
    }
    assert system.request("GET", f"{API}?nonsense=1", token=joe).status == 200


def test_what_is_no_http_is_refused_as_everything_else_is(system: System) -> None:
    for data, status in (
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 300 + b"\r\n", 431),
    ):
        reply = raw(system, data)
        assert reply.status == status, data[:40]
        assert set(json.loads(reply.body)) == {"type", "errors"}
        for header in (b"x-content-type-options: nosniff", b"cache-control: private, no-store"):
            assert header in reply.head.lower(), data[:40]
