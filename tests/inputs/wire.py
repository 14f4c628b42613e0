"""Requests written by hand, and their answers as they come over the wire."""

import json
import socket
from dataclasses import dataclass

from tests.system import System

API = "/api/v1/purchases/"
BULK = "/api/v1/purchases/bulk/"


@dataclass
class Reply:
    """An answer as it came over the wire; ``status`` is 0 if the connection was just closed."""

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
    """Send bytes. Return everything until the server closes the connection."""
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
    """Send one request with arbitrary parts, and close."""
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


def read_all(wire: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    parts = []
    while part := wire.recv(65536):
        parts.append(part)
    return b"".join(parts)


def rows(system: System, token: str) -> int:
    """Return the position of the newest event, which tells how much has been recorded."""
    return system.log_end(token)
