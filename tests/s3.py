"""A store that speaks S3, moto's, behind a wire that can be cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BUCKET = "documents"


class Wire:
    """Passes connections on to a port; ``mode`` says what becomes of them.

    ``open`` lets everything pass. ``cut`` ends connections, those that are open too. ``silent``
    takes what is sent and answers nothing. ``left`` is how many bytes of answers still pass before
    the wire is cut by itself.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self.port: int = self._server.getsockname()[1]
        self.mode = "open"
        self.left = float("inf")
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str, left: float = float("inf")) -> None:
        """Change what becomes of connections from now on, and end those that are open."""
        self.mode, self.left = mode, left
        self._end()

    def close(self) -> None:
        self.set("cut")
        self._server.close()

    def _end(self) -> None:
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            if self.mode == "cut":
                return
            both = {client, server}
            self._sockets |= both
            back = threading.Thread(target=self._pass, args=(server, client, True), daemon=True)
            back.start()
            self._pass(client, server, False)
            back.join()
            self._sockets -= both

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.mode == "silent":
                    continue
                if is_answer and len(data) >= self.left:
                    target.sendall(data[: int(self.left)])
                    self.set("cut")
                    break
                if is_answer:
                    self.left -= len(data)
                target.sendall(data)
        for connection in (source, target):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class S3:
    """A bucket: its wire for the shop, and a way around it for the test."""

    wire: Wire
    client: Any

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.wire.port}"

    @property
    def options(self) -> dict[str, str]:
        """Return the store as the settings describe it."""
        return {
            "bucket": BUCKET,
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key": "key",
            "secret_key": "for tests",
        }

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return sorted(item["Key"] for item in found)

    def content(self, name: str) -> bytes:
        body = self.client.get_object(Bucket=BUCKET, Key=name)["Body"]
        with contextlib.closing(body):
            return bytes(body.read())


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """Run a store with one empty bucket."""
    # Loading it takes half a second of each process of the suite, and few run a store.
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="for tests",
        )
        client.create_bucket(Bucket=BUCKET)
        wire = Wire(port)
        try:
            yield S3(wire, client)
        finally:
            wire.close()
            client.close()
    finally:
        server.stop()
