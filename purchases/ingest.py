"""Single purchases over ASGI: requests that come at once share one transaction.

``POST /api/v1/purchases/`` and ``/buy`` with a token and a JSON body are taken here. Each request
gets its own answer, after the commit. What this path does not know (cookies, other content types,
chunked bodies) goes on to the Django view, which gives the same answers one by one.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from django.db import connection
from django.utils import timezone

from accounts.access import Caller
from accounts.authentication import callers_by_digest, token_digest
from accounts.quotas import TooManyRequests, request_wait
from purchases.classic import classic_purchase, classic_recorded
from purchases.services import Entry, Outcome, Recorded, record_purchases
from purchases.validation import PurchaseInput, parse_idempotency_key, parse_purchase
from shop.errors import (
    CLASSIC_PREFIX,
    ApplicationError,
    NotAuthenticated,
    ServerError,
    Unavailable,
    classic_error,
    error_body,
    error_headers,
    is_outage,
)
from shop.metrics import observe_request
from shop.middleware import REQUEST_ID
from shop.parsers import decode_json

logger = structlog.get_logger(__name__)

BODY_MAX_BYTES = 64 * 1024
BATCH = 256
QUEUE = 4000
WRITERS = 2
BODY_SECONDS = 10.0
ANSWER_SECONDS = 5.5

API_PATH = "/api/v1/purchases/"
CLASSIC_PATHS = ("/buy", f"{CLASSIC_PREFIX}/buy")

App = Callable[[Any, Any, Any], Awaitable[None]]


class InvalidToken(NotAuthenticated):
    """The token is unknown, has ended, or belongs to an account that is not active."""

    code = "authentication_failed"
    detail = "Invalid token."


@dataclass(slots=True)
class _Request:
    """One purchase on its way through the queue."""

    digest: str
    purchase: PurchaseInput
    idempotency_key: str | None
    answer: "asyncio.Future[Outcome]"
    taken: bool = False


class Ingest:
    """A bounded queue of purchases and the writers that empty it, a batch a transaction."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[_Request] = asyncio.Queue(QUEUE)
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="ingest")
        self._writers: list[asyncio.Task[None]] = []
        self.closing = False

    def start(self) -> None:
        """Start the writers; they write one batch each at a time."""
        self._writers = [asyncio.create_task(self._write()) for _ in range(WRITERS)]

    async def stop(self) -> None:
        """Answer what is queued, then stop."""
        self.closing = True
        deadline = time.monotonic() + 4
        while not self._queue.empty() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for writer in self._writers:
            writer.cancel()
        await asyncio.gather(*self._writers, return_exceptions=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def record(
        self, digest: str, purchase: PurchaseInput, idempotency_key: str | None
    ) -> Recorded:
        """Record one purchase with whatever else is waiting; return after the commit.

        Raises the purchase's own ``ApplicationError``, or ``Unavailable`` where the queue is full
        or PostgreSQL does not answer in time.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        request = _Request(digest, purchase, idempotency_key, answer)
        try:
            self._queue.put_nowait(request)
        except asyncio.QueueFull:
            raise Unavailable() from None
        try:
            outcome = await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            if not request.taken:
                raise Unavailable() from None
            raise Unavailable(
                "The outcome is not known yet. Send the same request again to learn it."
            ) from None
        if isinstance(outcome, ApplicationError):
            raise outcome
        return outcome

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # A request whose time is up has been told that nothing is certain; it is not written
            # after that.
            batch = [request for request in batch if not request.answer.done()]
            if not batch:
                continue
            for request in batch:
                request.taken = True
            writing = loop.run_in_executor(self._threads, write_batch, batch)
            try:
                outcomes = await asyncio.shield(writing)
            except asyncio.CancelledError:
                outcomes = await writing
                _answer(batch, outcomes)
                raise
            _answer(batch, outcomes)


def _answer(batch: list[_Request], outcomes: list[Outcome]) -> None:
    for request, outcome in zip(batch, outcomes, strict=True):
        if not request.answer.done():
            request.answer.set_result(outcome)


def write_batch(batch: list[_Request]) -> list[Outcome]:
    """Sign in and record a batch in the calling thread; return one outcome for each request."""
    try:
        callers = callers_by_digest({request.digest for request in batch})
        outcomes: list[Outcome | None] = [None] * len(batch)
        entries: list[Entry] = []
        places: list[int] = []
        for place, request in enumerate(batch):
            caller: Caller | None = callers.get(request.digest)
            if caller is None:
                outcomes[place] = InvalidToken()
            elif wait := request_wait(caller):
                outcomes[place] = TooManyRequests(wait)
            else:
                entries.append(Entry(caller, request.purchase, request.idempotency_key))
                places.append(place)
        if entries:
            for place, outcome in zip(places, record_purchases(entries), strict=True):
                outcomes[place] = outcome
        return [outcome or ServerError() for outcome in outcomes]
    except Exception as error:
        if is_outage(error):
            logger.warning("purchase.unavailable", requests=len(batch))
            return [Unavailable() for _ in batch]
        logger.exception("purchase.batch_failed", requests=len(batch))
        return [ServerError() for _ in batch]
    finally:
        connection.close()


ingest = Ingest()


class IngestMiddleware:
    """The ASGI application in front of Django that takes what the ingest can take."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or (scope["path"] != API_PATH and scope["path"] not in CLASSIC_PATHS)
            or ingest.closing
        ):
            return await self.app(scope, receive, send)
        headers = _headers(scope)
        length = headers.get(b"content-length", b"")
        token = headers.get(b"authorization", b"")
        digest = (
            token_digest(token[6:].strip().decode("latin-1"))
            if token[:6].lower() == b"token "
            else None
        )
        if (
            digest is None
            or not length.isdigit()
            or len(length) > 6
            or not 0 < int(length) <= BODY_MAX_BYTES
            or headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            != b"application/json"
            or scope["query_string"]
        ):
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        classic = scope["path"] != API_PATH
        body = await _body(receive, int(length))
        if body is None:
            return None
        extra: dict[str, str] = {}
        try:
            purchase, idempotency_key = _parse(headers, body, classic=classic)
        except ApplicationError:
            # The Django view says what is wrong, after it has looked at the token.
            return await self.app(scope, _replay(body, receive), send)
        try:
            recorded = await ingest.record(digest, purchase, idempotency_key)
        except ApplicationError as error:
            status, extra = error.status, error_headers(error)
            answer: Any = classic_error(error) if classic else error_body(error)
        else:
            status = 200 if classic or recorded.replayed else 201
            answer = classic_recorded(recorded.purchase) if classic else recorded.purchase
            if recorded.replayed:
                extra["Idempotent-Replayed"] = "true"
        observe_request("POST", scope["path"].lstrip("/"), status, time.perf_counter() - started)
        await _respond(send, status, msgspec.json.encode(answer), extra, headers)
        return None


def _parse(
    headers: dict[bytes, bytes], body: bytes, *, classic: bool
) -> tuple[PurchaseInput, str | None]:
    data = decode_json(body)
    key = headers.get(b"idempotency-key")
    idempotency_key = parse_idempotency_key(None if key is None else key.decode("latin-1"))
    if classic:
        data = classic_purchase(data)
    return parse_purchase(data, now=timezone.now()), idempotency_key


def _replay(body: bytes, receive: Any) -> Any:
    """Return a ``receive`` that gives the body again, then what comes after it."""
    sent = False

    async def replayed() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _headers(scope: Any) -> dict[bytes, bytes]:
    return dict(scope["headers"])


async def _body(receive: Any, length: int) -> bytes | None:
    """Return the whole body, or ``None`` where the client went away or was too slow."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return None


async def _respond(
    send: Any, status: int, body: bytes, extra: dict[str, str], headers: dict[bytes, bytes]
) -> None:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"same-origin"),
                (b"x-request-id", request_id.encode()),
                (b"cache-control", b"no-store"),
                *((name.lower().encode(), value.encode()) for name, value in extra.items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
