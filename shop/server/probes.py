"""Probes and scrapes, which are answered whatever else waits.

``/livez`` needs the event loop only. The others ask the servers behind, so they have threads of
their own. Clients that ask at the same time share one answer.
"""

import asyncio
import time
from typing import Any

from shop.core.threads import Threads
from shop.server.gate import answer_of

PROBES = frozenset({"/readyz", "/healthz", "/metrics"})
SITE = b"scope=site"
"""The only query that changes an answer; any other is left out, because answers are shared."""
FRESH_SECONDS = 1.0


async def answer_livez(scope: Any, send: Any) -> None:
    """Answer 200 as long as the process runs."""
    body = b"ok\n"
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


class Probes:
    """The ASGI application that answers ``PROBES`` by the WSGI application ``app``."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._threads = Threads(len(PROBES), "probes")
        self._made: dict[tuple[str, bytes], tuple[float, asyncio.Future[Any]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; any method counts as GET."""
        query = SITE if SITE in scope["query_string"].split(b"&") else b""
        key = (scope["path"], query)
        made_at, made = self._made.get(key, (0.0, None))
        if made is None or (made.done() and time.monotonic() - made_at > FRESH_SECONDS):
            asked = scope | {
                "method": "GET",
                "query_string": query,
                "headers": [header for header in scope["headers"] if header[0] == b"host"],
            }
            made = self._threads.run(answer_of, self._app, asked)
            made.add_done_callback(lambda _: self._made.update({key: (time.monotonic(), made)}))
            self._made[key] = (0.0, made)
        start, body = await asyncio.shield(made)
        # The answer is shared, so it has no request id.
        headers = [header for header in start["headers"] if header[0] != b"x-request-id"]
        await send(start | {"headers": headers})
        await send({"type": "http.response.body", "body": body})
