"""uvicorn's HTTP protocol with a fast path for single purchases.

An ASGI application gets a task, a scope and several messages for each request, which together cost
more than recording a purchase does. This protocol hands a purchase to the ingest as soon as its
body is complete, and writes the answer in one piece. Every other request, and every purchase that
is not plainly well formed, takes uvicorn's ordinary path to the ASGI application, which gives the
same answers: ``uvicorn --http purchases.ingest.protocol:Protocol``.
"""

import asyncio
import time
from asyncio import TimerHandle
from functools import partial
from typing import cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from events.hub import hub
from purchases.classic import classic_error
from purchases.entries import Outcome
from purchases.ingest.engine import ingest
from purchases.ingest.http import (
    API_PATH,
    PATHS,
    parse,
    render,
    token_of,
)
from purchases.ingest.pending import PendingPurchase
from shop.core.addresses import client_address, is_trusted
from shop.core.admission import address_holder
from shop.core.errors import ApplicationError, error_body
from shop.core.metrics import observe_request
from shop.core.paths import spellings
from shop.core.refusals import STATUSES, refusals
from shop.core.site_settings.general import READ_ONLY
from shop.server.answers import HEADERS, ONLY_SECURE, request_id
from shop.server.protocol import LimitedProtocol

BODY_SECONDS = 10.0
LENGTH_DIGITS = 4
"""The most digits of a Content-Length here; a longer body needs a place in a room."""

_PATHS = {spelling.encode(): path for spelling, path in spellings(PATHS).items()}
_HEADERS = b"".join(b"%b: %b\r\n" % header for header in HEADERS)
_rendered: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")


def _server_headers(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return uvicorn's own headers as they are sent. uvicorn makes a new list every second."""
    global _rendered
    if headers is not _rendered[0]:
        _rendered = headers, b"".join(b"%b: %b\r\n" % header for header in headers)
    return _rendered[1]


class TooSlow(ApplicationError):
    """The client did not send the body in time."""

    status = 408
    code = "request_timeout"
    detail = "The request body did not come in time."


class Buy:
    """Stands in for uvicorn's ``RequestResponseCycle`` while a purchase is processed.

    The attributes without a comment are those that the protocol reads or sets on a cycle.
    """

    __slots__ = (
        "body",
        "digest",  # of the token
        "disconnected",
        "headers",
        "keep_alive",
        "message_event",
        "more_body",
        "path",
        "response_complete",
        "started",  # when, on the clock of ``time.perf_counter``
        "timer",  # ends a body that does not come
    )

    def __init__(self, path: str, headers: dict[bytes, bytes], digest: str, keep_alive: bool):
        self.path = path
        self.headers = headers
        self.digest = digest
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY
        self.started = time.perf_counter()
        self.timer: TimerHandle | None = None


class _Nobody(asyncio.Event):
    """Replaces the event of a cycle, because no task waits for a purchase."""

    def set(self) -> None:
        return None


_NOBODY = _Nobody()


class Protocol(LimitedProtocol):
    """One connection, with at most one purchase under way; pipelined requests wait."""

    def shutdown(self) -> None:
        """End after the answer to the open request; answer long polls now."""
        super().shutdown()
        hub.drain()

    @property
    def _buy(self) -> Buy | None:
        cycle: object = self.cycle
        return cycle if type(cycle) is Buy else None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        buy = self._buy
        if buy is not None and buy.more_body and buy.timer is None:
            buy.timer = self.loop.call_later(BODY_SECONDS, self._too_slow, buy)

    def on_headers_complete(self) -> None:
        path = _PATHS.get(self.url)
        if (
            path is None
            or self.parser.get_method() != b"POST"
            or self.expect_100_continue
            or self.parser.should_upgrade()
            or self.flow.write_paused
            or self.config.root_path
            or READ_ONLY.value
            or (ONLY_SECURE and not self._is_secure())
            or not (self.cycle is None or self.cycle.response_complete)
            or len(headers := dict(self.headers)) != len(self.headers)
            or len(headers.get(b"content-length", b"")) > LENGTH_DIGITS
            or (digest := token_of(headers, None)) is None
        ):
            super().on_headers_complete()
            return
        keep_alive = (
            self.parser.get_http_version() != "1.0"
            and self.parser.should_keep_alive()
            and not self._ending
        )
        self.head_complete()
        self.cycle = cast(RequestResponseCycle, Buy(path, headers, digest, keep_alive))

    def _is_secure(self) -> bool:
        """Return whether the client uses HTTPS, with this server or with a trusted proxy."""
        told = (b"x-forwarded-proto", b"https") in self.headers
        return self.scheme == "https" or (
            told and self.client is not None and is_trusted(self.client[0])
        )

    def on_body(self, body: bytes) -> None:
        buy = self._buy
        if buy is None or not buy.more_body:
            super().on_body(body)
        else:
            self._loose = 0
            self._body_bytes += len(body)
            buy.body += body

    def on_message_complete(self) -> None:
        buy = self._buy
        if buy is None or not buy.more_body:
            super().on_message_complete()
            return
        buy.more_body = False
        if buy.timer is not None:
            buy.timer.cancel()
        try:
            purchase, key = parse(buy.headers, buy.body, classic=buy.path != API_PATH)
        except ApplicationError:
            # The Django view answers with the error, after it has checked the token.
            self.cycle = None  # type: ignore[assignment]
            super().on_headers_complete()
            super().on_body(buy.body)
            super().on_message_complete()
            return
        # The body may be much larger than the purchase, which may have to wait.
        buy.body = b""

        def answer(outcome: Outcome) -> None:
            rendered = render(outcome, classic=buy.path != API_PATH)
            if rendered[0] in STATUSES and (wait := refusals.wait(self._asker(buy))):
                self.loop.call_later(wait, self._answer, buy, *rendered)
            else:
                self._answer(buy, *rendered)

        ingest.submit(
            PendingPurchase(buy.digest, purchase, key, answer, partial(self._address, buy))
        )

    def _asker(self, buy: Buy) -> str:
        """Return the holder of the client's address."""
        return address_holder(self._address(buy))

    def _address(self, buy: Buy) -> str:
        peer = self.client[0] if self.client else ""
        return client_address(buy.headers.items(), peer)

    def _answer(self, buy: Buy, status: int, body: bytes, extra: dict[str, str]) -> None:
        buy.response_complete = True
        observe_request("POST", buy.path[1:], status, time.perf_counter() - buy.started)
        if buy.disconnected or self.transport.is_closing():
            return
        parts = [STATUS_LINE[status]]
        parts += [
            _server_headers(self.server_state.default_headers),
            _HEADERS,
            b"content-length: %d\r\nx-request-id: %b\r\n" % (len(body), request_id(buy.headers)),
        ]
        parts += [f"{name.lower()}: {value}\r\n".encode() for name, value in extra.items()]
        if not buy.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += [b"\r\n", body]
        self.transport.write(b"".join(parts))
        if not buy.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _too_slow(self, buy: Buy) -> None:
        if buy.more_body and not buy.disconnected:
            buy.more_body = buy.keep_alive = False
            shape = error_body if buy.path == API_PATH else classic_error
            self._answer(buy, 408, msgspec.json.encode(shape(TooSlow())), {})
