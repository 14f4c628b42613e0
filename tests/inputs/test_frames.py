"""Frames and handshakes of websockets."""

import contextlib
import socket
import struct
import time
import uuid

import pytest

from tests.inputs.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Wire
from tests.inputs.wire import API
from tests.system import System

pytestmark = pytest.mark.system


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


@pytest.mark.parametrize(
    ("query", "line", "status"), [("a" * 9000, "X: a", 414), ("", f"X: {'a' * 9000}", 431)]
)
def test_a_handshake_with_a_long_line_is_refused_and_ends(
    system: System, query: str, line: str, status: int
) -> None:
    lines = (
        f"GET /ws/events/?after={query} HTTP/1.1",
        *("Host: localhost", "Upgrade: websocket", "Connection: Upgrade", line),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""),
    )
    with socket.create_connection(("127.0.0.1", system.port), timeout=20) as wire:
        wire.sendall("\r\n".join(lines).encode())
        answer = wire.makefile("rb").read()
    assert int(answer.split()[1]) == status


def test_a_bad_frame_right_behind_the_handshake_is_no_fault_of_ours(system: System) -> None:
    before = system.log.read_text().count("Fatal error")
    lines = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    head = "\r\n".join(("GET /ws/events/ HTTP/1.1", "Host: localhost", *lines, "", ""))
    for number in range(60):
        with socket.create_connection(("127.0.0.1", system.port), timeout=10) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.sendall(head.encode())
            # The answer takes a few milliseconds, and the frame is to come before it.
            time.sleep(number % 20 / 4000)
            wire.sendall(b"\xf1\x80abcd")
            with contextlib.suppress(ConnectionError):
                wire.recv(4096)
    assert system.log.read_text().count("Fatal error") == before
    assert system.healthy()


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
