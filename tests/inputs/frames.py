"""A websocket whose frames are written by hand."""

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from tests.system import System

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


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
        """Return the code that the server closes with, or ``None`` if it just closes."""
        for opcode, payload in self.frames():
            if opcode == 8:
                self.socket.close()
                return int.from_bytes(payload[:2], "big") if payload else None
        self.socket.close()
        return None
