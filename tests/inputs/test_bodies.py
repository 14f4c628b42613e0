"""Bodies: broken, too large, of the wrong kind, too slow."""

import json
import socket
import time
import uuid

import pytest

from tests.inputs.bad import BAD_JSON
from tests.inputs.wire import API, BULK, http, raw, read_all, rows
from tests.system import System

pytestmark = pytest.mark.system


@pytest.mark.parametrize("path", [API, f"{API}?view", "/buy", "/buy?view", "/api/v1/reports/"])
def test_bodies_that_are_no_purchase(system: System, joe: str, path: str) -> None:
    before = rows(system, joe)
    for body in BAD_JSON:
        reply = http(system, "POST", path, body, joe)
        # The original routes ignore unknown fields, and what is wrong with them.
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
    # A body that is only announced is refused before it arrives.
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
    """More slow bodies than threads, on the batched path and on others."""
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
            answer = read_all(wire)
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
