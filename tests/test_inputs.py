"""What nobody should send, sent over real sockets to the running site.

Whatever comes, the answer is a clear refusal: never a 500, never HTML below ``/api/``, never a
request that hangs, and never memory that grows.
"""

import base64
import contextlib
import json
import os
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import pytest

from tests.limits import forget_limits
from tests.system import System

pytestmark = pytest.mark.system
API = "/api/v1/purchases/"
BULK = "/api/v1/purchases/bulk/"


@dataclass
class Reply:
    """An answer as it came over the wire; ``status`` is 0 where the connection was just closed."""

    status: int
    head: bytes
    body: bytes

    def is_clear(self, path: str) -> bool:
        """Return whether this is an answer that a client can work with."""
        if self.status == 0:
            return True
        if self.status >= 500:
            return False
        if path.startswith("/api/") and self.status >= 400 and self.body:
            return set(json.loads(self.body)) == {"type", "errors"}
        return True


def raw(system: System, data: bytes, seconds: float = 20) -> Reply:
    """Send bytes; return what comes until the server closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", system.port), timeout=seconds) as wire:
        try:
            wire.sendall(data)
            while part := wire.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = b"".join(body.split(b"\r\n")[1::2])
    status = int(head.split()[1]) if head.startswith(b"HTTP/") else 0
    return Reply(status, head, body)


def http(
    system: System,
    method: str,
    path: str | bytes,
    body: bytes | None = None,
    token: str = "",
    **headers: str | bytes,
) -> Reply:
    """Send one request whose parts may be anything, and close."""
    path = path.encode() if isinstance(path, str) else path
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close"]
    if token:
        lines.append(f"Authorization: Token {token}".encode())
    if body is not None and "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        lines.append(b"Content-Length: %d" % len(body))
    headers.setdefault("Content_Type", "application/json")
    for name, value in headers.items():
        value = value.encode() if isinstance(value, str) else value
        lines.append(name.replace("_", "-").encode() + b": " + value)
    return raw(system, b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))


def _all_of(wire: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    parts = []
    while part := wire.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module")
def joe(system: System) -> str:
    forget_limits(system)
    return system.token("joe")


def rows(system: System, token: str) -> int:
    page = system.request("GET", "/api/v1/events/?after=0&limit=5000", token=token).json()
    return int(page["position"])


BAD_JSON = [
    b"",
    b"\xff\xfe",
    b'{"price": "1", "item": "\xc3\x28"}',
    b'{"price": "1", "item": "\xed\xa0\x80"}',
    b'{"price": 1, "item": "\\ud800"}',
    b'{"price": 1, "item": "a\\u0000b"}',
    b'{"price": 1, "item": "a\x00b"}',
    b'{"price": NaN}',
    b'{"price": Infinity}',
    b'{"price": -Infinity}',
    b'{"price": "NaN"}',
    b'{"price": "1e5"}',
    b'{"price": 1e400}',
    b'{"price": 1' + b"0" * 5000 + b"}",
    b'{"price": 0.' + b"0" * 5000 + b"1}",
    b'{"price": 1, "quantity": 1' + b"0" * 5000 + b"}",
    b'{"price": 1, "quantity": 1e-400}',
    b'{"price": "' + "١٢".encode() + b'"}',
    b'{"price": [[[[1]]]]}',
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b'{"price": 1, "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"price": 1, "timestamp": "2024-13-45T99:99:99Z"}',
    b'{"price": 1, "timestamp": "0000-01-01T00:00:00Z"}',
    b'{"price": 1, "timestamp": "9999-12-31T23:59:59-14:00"}',
    b'{"price": 1, "username": {"$ne": null}}',
    b'{"price": 1, "currency": ["EUR"]}',
    b'"' + b"x" * 60_000 + b'"',
    b"price=1",
    b"<price>1</price>",
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("path", [API, f"{API}?view", "/buy", "/buy?view", "/api/v1/reports/"])
def test_bodies_that_are_no_purchase(system: System, joe: str, path: str) -> None:
    before = rows(system, joe)
    for body in BAD_JSON:
        reply = http(system, "POST", path, body, joe)
        # The original routes leave aside what they do not know, and what is wrong with it.
        unknown = any(name in body for name in (b"item", b"quantity", b"currency"))
        allowed = (200, 400) if path.startswith("/buy") and unknown else (400,)
        assert reply.status in allowed, (body[:60], reply)
        assert json.loads(reply.body), body[:60]
    if path.startswith(API):
        assert rows(system, joe) == before


def test_of_a_field_given_twice_the_last_counts_on_both_paths(system: System, joe: str) -> None:
    for path in (API, f"{API}?view"):
        body = b'{"price": 1, "item": "%s", "price": 2}' % uuid.uuid4().hex.encode()
        reply = http(system, "POST", path, body, joe)
        assert (reply.status, json.loads(reply.body)["price"]) == (201, "2.00")


def test_content_types(system: System, joe: str) -> None:
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json/x",
        "application",
        "",
        ";",
        b"\xff",
        "application/x-ndjson",
        "text/csv",
    ):
        reply = http(system, "POST", API, b'{"price": 1}', joe, Content_Type=content_type)
        assert reply.status in (400, 415), (content_type, reply)
        assert reply.is_clear(API)
    for charset in ("utf-16", "nonsense", "latin-1", "utf-8; charset=utf-16"):
        content_type = f"application/json; charset={charset}"
        for path in (API, "/buy", BULK, "/api/v1/auth/token/"):
            reply = http(system, "POST", path, b'{"price": 1}', joe, Content_Type=content_type)
            assert (reply.status, reply.is_clear(path)) == (415, True), (charset, path, reply)
    for charset in ("utf-8", '"UTF-8"', "us-ascii"):
        body = b'{"price": 1, "item": "%s"}' % uuid.uuid4().hex.encode()
        content_type = f"application/json; charset={charset}"
        reply = http(system, "POST", API, body, joe, Content_Type=content_type)
        assert reply.status == 201, reply


def test_bodies_that_are_compressed_are_refused_and_a_mark_in_front_is_skipped(
    system: System, joe: str
) -> None:
    for coding in ("gzip", "br", "deflate", "zstd", "identity, gzip", "nonsense"):
        for path in (API, "/buy", BULK, "/api/v1/auth/token/", "/api/v1/reports/"):
            reply = http(system, "POST", path, b'{"price": 1}', joe, Content_Encoding=coding)
            assert (reply.status, reply.is_clear(path)) == (415, True), (coding, path, reply)
    item = uuid.uuid4().hex.encode()
    body = b'\xef\xbb\xbf{"price": 1, "item": "%s"}' % item
    assert http(system, "POST", API, body, joe, Content_Encoding="identity").status == 201
    for content_type, bulk in (
        ("application/x-ndjson", b'\xef\xbb\xbf{"price": 1, "item": "%s n"}\n' % item),
        ("application/json", b'\xef\xbb\xbf[{"price": 1, "item": "%s a"}]' % item),
        ("text/csv", b"\xef\xbb\xbfprice,item\n1,%s c\n" % item),
    ):
        reply = http(system, "POST", BULK, bulk, joe, Content_Type=content_type)
        assert json.loads(reply.body)["recorded"] == 1, reply


def test_a_key_given_twice_is_refused(system: System, joe: str) -> None:
    for path in (API, "/buy", BULK, "/api/v1/reports/"):
        for keys in (("a", "b"), ("a", "a")):
            body = b'{"price": 1}'
            lines = [
                f"POST {path} HTTP/1.1",
                "Host: localhost",
                "Connection: close",
                f"Authorization: Token {joe}",
                *(f"Idempotency-Key: {key}" for key in keys),
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
            ]
            head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
            reply = raw(system, head + body)
            assert (reply.status, reply.is_clear(path)) == (400, True), (path, keys, reply)
            assert b"Idempotency-Key" in reply.body


def test_bodies_over_the_limit(system: System, joe: str) -> None:
    big = b'{"price": 1, "item": "' + b"x" * 1_100_000 + b'"}'
    for path in (API, "/api/v1/reports/", "/api/v1/auth/token/", "/api/v1/nothing/", "/buy"):
        reply = http(system, "POST", path, big, joe)
        assert (reply.status, reply.is_clear(path)) == (413, True), (path, reply)
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big)
        reply = http(system, "POST", path, chunked, joe, Transfer_Encoding="chunked")
        assert (reply.status, reply.is_clear(path)) == (413, True), (path, reply)
    # The answer reaches a client that is still sending.
    reply = http(system, "POST", API, b"x" * 12_000_000, joe)
    assert (reply.status, reply.is_clear(API)) == (413, True)
    # A body that is only announced is refused before it comes.
    for path in (API, BULK):
        reply = http(system, "POST", path, b"", joe, Content_Length=str(10**12))
        assert reply.status == 413


def test_chunked_bodies_are_read_like_any_other(system: System, joe: str) -> None:
    item = uuid.uuid4().hex.encode()
    body = b'{"price": 1, "item": "%s"}' % item
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    reply = http(system, "POST", API, chunked, joe, Transfer_Encoding="chunked")
    assert reply.status == 201, reply
    line = b'[{"price": 1, "item": "%s-2"}]' % item
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(line), line)
    reply = http(system, "POST", BULK, chunked, joe, Transfer_Encoding="chunked")
    assert json.loads(reply.body)["recorded"] == 1, reply


def test_lengths_that_lie(system: System, joe: str) -> None:
    body = b'{"price": 1}'
    for headers in (
        {"Content_Length": "-1"},
        {"Content_Length": "x"},
        {"Content_Length": "99999999999999999999999999"},
        {"Content_Length": "12, 12"},
        {"Content_Length": "12", "Transfer_Encoding": "chunked"},
        {"Transfer_Encoding": "gzip, chunked"},
        {"Transfer_Encoding": "nonsense"},
    ):
        reply = http(system, "POST", API, body, joe, **headers)
        assert reply.status in (0, 400, 413), (headers, reply)


def test_a_slow_body_is_cut_off_and_keeps_nobody_out(system: System, joe: str) -> None:
    """More slow bodies than there are threads, on the batched path and on others."""
    head = (
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Authorization: Token {}\r\nContent-Length: 500\r\n\r\n"
    )
    wires = []
    for path in (API, f"{API}?view", "/buy", "/buy?view", BULK, "/accounts/login/") * 6:
        wire = socket.create_connection(("127.0.0.1", system.port), timeout=30)
        wire.sendall(head.format(path, joe).encode() + b"{")
        wires.append((path, wire))
    started = time.monotonic()
    for path in ("/livez", "/accounts/login/", "/api/v1/accounts/me/"):
        assert system.request("GET", path, token=joe, timeout=5).status == 200
    assert time.monotonic() - started < 5
    for path, wire in wires:
        with wire:
            answer = _all_of(wire)
        assert answer.startswith(b"HTTP/1.1 408"), (path, answer)
        assert (b"application/json" in answer) is (path != "/accounts/login/")
        assert (b'"status":"Error"' in answer) is path.startswith("/buy")
    assert time.monotonic() - started < 15


def test_a_client_that_leaves_halfway_records_nothing(system: System, joe: str) -> None:
    before = rows(system, joe)
    for path in (API, f"{API}?view", BULK):
        body = b'[{"price": 1}]' if path == BULK else b'{"price": 1}'
        with socket.create_connection(("127.0.0.1", system.port), timeout=5) as wire:
            wire.sendall(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Authorization: Token {joe}\r\nContent-Length: 500\r\n\r\n".encode()
                + body
            )
    assert system.healthy()
    time.sleep(0.3)
    assert rows(system, joe) == before


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
        # What the kernel has buffered was sent, and is not in the server's memory.
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


BAD_CSV = [
    b"",
    b"\n",
    b"item\nx\n",
    b"price,price\n1,2\n",
    b'price,item\n1,"open\n2,x\n',
    b'price,item\n1,"a"b\n2,"c""d"\n',
    b"price,item\n1\n1,2,3\n",
    b"price,item\n1,\xff\xfe\n",
    b"price,item\n1,a\x00b\n",
    b"\xef\xbb\xbfprice,item\n-1,x\n",
    b"price,item\r1,x\r",
    b"price;item\n1;x\n",
    b"price," + b"x" * 20_000 + b"\n1,2\n",
    b"price,item\n1," + b"x" * 20_000 + b"\n",
    b'price,item\n"' + b"1,x\n" * 5000,
    b"," * 16_000 + b"price\n",
]
BAD_LINES = {
    "text/csv": BAD_CSV,
    "application/x-ndjson": [*BAD_JSON, b"\n".join(BAD_JSON[1:]), b"\n" * 100_000],
    "application/json": [*BAD_JSON, b"[" + b",".join(BAD_JSON[5:7]), b"[{},]", b"[]x", b"[1][2]"],
}


@pytest.mark.parametrize("content_type", BAD_LINES)
def test_bulk_bodies_that_are_broken(system: System, joe: str, content_type: str) -> None:
    for body in BAD_LINES[content_type]:
        path = f"{BULK}?dry_run=1"
        reply = http(system, "POST", path, body, joe, Content_Type=content_type)
        assert reply.status in (200, 400, 413), (body[:60], reply)
        assert reply.is_clear(BULK)
        if reply.status == 200:
            result = json.loads(reply.body)
            assert result["rejected"] == len(result["errors"])


# --- Sockets --------------------------------------------------------------------------------


class Wire:
    """A websocket whose frames are written by hand."""

    def __init__(self, system: System, token: str, query: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", system.port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws/purchases/{query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Token {token}\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bool = True):
        head = bytes([(0x80 if fin else 0) | opcode])
        masked = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([masked | len(payload)])
        elif len(payload) < 65536:
            head += bytes([masked | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([masked | 127]) + struct.pack(">Q", len(payload))
        self.raw(head + (b"\0\0\0\0" if mask else b"") + payload)

    def raw(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield frames until the server has closed the connection."""
        while True:
            while len(self.buffer) >= 2:
                length, at = self.buffer[1] & 0x7F, 2
                if length == 126:
                    length, at = int.from_bytes(self.buffer[2:4], "big"), 4
                elif length == 127:
                    length, at = int.from_bytes(self.buffer[2:10], "big"), 10
                if len(self.buffer) < at + length:
                    break
                frame = self.buffer[0] & 0x0F, self.buffer[at : at + length]
                self.buffer = self.buffer[at + length :]
                yield frame
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return
            if not part:
                return
            self.buffer += part

    def close_code(self) -> int | None:
        """Return the code that the server closes with, or ``None`` where it just closes."""
        for opcode, payload in self.frames():
            if opcode == 8:
                self.socket.close()
                return int.from_bytes(payload[:2], "big") if payload else None
        self.socket.close()
        return None


TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@pytest.mark.parametrize(
    ("name", "frames", "codes"),
    [
        ("text", [(TEXT, b"hello")], {4400}),
        ("binary", [(BINARY, b"\x00\xff")], {4400}),
        ("empty text", [(TEXT, b"")], {4400}),
        ("bad UTF-8", [(TEXT, b"\xff\xfe")], {1007}),
        ("a continuation of nothing", [(CONTINUATION, b"x")], {1002}),
        ("an unknown opcode", [(3, b"x")], {1002}),
        ("an overlong ping", [(PING, b"x" * 126)], {1002}),
        ("over the limit", [(TEXT, b"x" * 70_000)], {1009}),
        ("a close code that is none", [(CLOSE, b"\x00\x05")], {1002}),
        ("half a close code", [(CLOSE, b"\x03")], {1002}),
        ("a close reason that is no UTF-8", [(CLOSE, b"\x03\xe8\xff")], {1002, 1007}),
    ],
)
def test_frames_that_a_feed_does_not_take(
    system: System, joe: str, name: str, frames: list[tuple[int, bytes]], codes: set[int]
) -> None:
    wire = Wire(system, joe)
    for opcode, payload in frames:
        wire.send(opcode, payload)
    assert wire.close_code() in codes


def test_fragments_masks_and_lengths_that_are_wrong(system: System, joe: str) -> None:
    unmasked = Wire(system, joe)
    unmasked.send(TEXT, b"x", mask=False)
    assert unmasked.close_code() == 1002
    reserved = Wire(system, joe)
    reserved.raw(b"\xf1\x80\0\0\0\0")
    assert reserved.close_code() == 1002
    announced = Wire(system, joe)
    announced.raw(b"\x82\xff" + struct.pack(">Q", 2**62) + b"\0\0\0\0")
    assert announced.close_code() == 1009
    fragments = Wire(system, joe)
    fragments.send(TEXT, b"x" * 60_000, fin=False)
    for _ in range(5):
        fragments.send(CONTINUATION, b"x" * 60_000, fin=False)
    assert fragments.close_code() == 1009
    interleaved = Wire(system, joe)
    interleaved.send(TEXT, b"x", fin=False)
    interleaved.send(TEXT, b"y")
    assert interleaved.close_code() == 1002


def test_a_flood_of_pings_keeps_the_feed_going(system: System, joe: str) -> None:
    wire = Wire(system, joe)
    for _ in range(5000):
        wire.send(PING, b"x" * 100)
    item = uuid.uuid4().hex
    body = {"price": 1, "item": item}
    assert system.request("POST", API, body, joe).status == 201
    for opcode, payload in wire.frames():
        if opcode == TEXT and item.encode() in payload:
            break
    wire.socket.close()
    assert system.healthy()


def test_handshakes_that_are_none(system: System, joe: str) -> None:
    good = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for change in (
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": None},
        {"Upgrade": "h2c"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=99"},
        {"Sec-WebSocket-Protocol": "," * 3000},
    ):
        for path in ("/ws/purchases/", "/ws/", "/api/v1/purchases/"):
            headers = {name: value for name, value in (good | change).items() if value is not None}
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            data = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
            with socket.create_connection(("127.0.0.1", system.port), timeout=10) as wire:
                wire.sendall(data.encode())
                status = int(wire.recv(4096).split()[1])
            assert status < 500, (change, path)


# --- Memory ---------------------------------------------------------------------------------


def _web(system: System) -> psutil.Process:
    (pid,) = system.pids("uvicorn")
    return psutil.Process(pid)


def test_many_bad_requests_cost_no_memory(system: System, joe: str) -> None:
    process = _web(system)

    def flood(rounds: int) -> None:
        def one(number: int) -> None:
            body = BAD_JSON[number % len(BAD_JSON)]
            path = (API, "/buy", f"{API}?{number}", f"/api/v1/{number}/", f"{API}?cursor={number}")
            reply = http(system, "POST", path[number % 5], body, joe)
            assert 400 <= reply.status < 500 or "buy" in path[number % 5], (path, reply)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(rounds)))

    flood(400)
    before = process.memory_info().rss
    flood(1200)
    grown = process.memory_info().rss - before
    assert grown < 8 * 1024 * 1024, f"{grown / 1200:.0f} bytes a request"


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
