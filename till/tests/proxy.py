"""A proxy in front of the site that can lose answers, refuse, or be away, as a network does."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PURCHASES = "/api/v1/purchases/"
# These belong to one connection, so no proxy passes them on.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Proxy:
    """The network between one browser and the site; ``mode`` says what it does now.

    ``through`` passes everything. ``away`` answers nothing. ``deaf`` passes a purchase to the site,
    and loses the answer. ``busy`` and ``broken`` answer purchases with 503 and 500. ``hotel``
    answers everything with a page of its own.
    """

    def __init__(self, site_port: int) -> None:
        self.site_port = site_port
        self.mode = "through"
        # How many requests get the mode; the next ones pass.
        self.left = 10**9
        # What a deploy changes: bytes of the site's answers, and what stands there now.
        self.deployed: tuple[bytes, bytes] = (b"", b"")
        # The item and the key of every purchase that was sent, in order.
        self.sent: list[tuple[str, str]] = []
        proxy = self

        class Handler(_Handler):
            network = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def be(self, mode: str, times: int = 10**9) -> None:
        """Behave in this mode for so many requests."""
        self.mode, self.left = mode, times

    def behave(self, is_purchase: bool) -> str:
        """Return the mode of a request, and count it."""
        if self.mode in ("deaf", "busy", "broken") and not is_purchase:
            return "through"
        if self.left <= 0:
            return "through"
        self.left -= 1
        return self.mode


class _Handler(BaseHTTPRequestHandler):
    network: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass()

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_purchase = self.command == "POST" and self.path == PURCHASES
        mode = self.network.behave(is_purchase)
        if mode == "away":
            self.close_connection = True
            return
        if mode == "hotel":
            self._answer(200, [("Content-Type", "text/html")], b"<h1>Welcome to the hotel</h1>")
            return
        if mode in ("busy", "broken"):
            status = 503 if mode == "busy" else 500
            error = {
                "type": "server_error",
                "errors": [{"code": "error", "detail": "", "attr": None}],
            }
            headers = [("Content-Type", "application/json"), ("Retry-After", "1")]
            self._answer(status, headers, json.dumps(error).encode())
            return
        if is_purchase:
            item = str(json.loads(body).get("item"))
            self.network.sent.append((item, self.headers["Idempotency-Key"]))
        site = http.client.HTTPConnection("127.0.0.1", self.network.site_port, timeout=30)
        site.request(self.command, self.path, body or None, dict(self.headers))
        answer = site.getresponse()
        content = answer.read()
        site.close()
        if mode == "deaf":
            self.close_connection = True
            return
        before, now = self.network.deployed
        content = content.replace(before, now) if before else content
        headers = [
            (name, value.replace(before.decode(), now.decode()) if before else value)
            for name, value in answer.getheaders()
        ]
        self._answer(answer.status, headers, content)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def network(site_port: int) -> Iterator[Proxy]:
    """Run a proxy in front of the site, during the block."""
    proxy = Proxy(site_port)
    thread = threading.Thread(target=proxy.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()
