"""Single purchases over ASGI: requests that come at once share one transaction.

``POST /api/v1/purchases/`` and ``/buy`` with a token and a JSON body are taken here. Each request
gets its own answer, after the commit. What this path does not know (cookies, other content types,
chunked bodies) goes on to the Django view, which gives the same answers one by one.

A batch takes one of two ways into the ledger. The short one is a single statement over a
connection of the event loop: it records those purchases whose token and customer this process has
met before, and checks in the same statement that both are still good. Whatever it does not record
(an account met for the first time, a repeat, a token that was revoked, any error) goes the long
way, through :func:`purchases.services.record_purchases` in a thread. The short way only ever
records what is new and beyond doubt, so every rule and every other answer is in one place.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import structlog
from django.db import connection as django_connection

from accounts.access import Caller, may_record_for_anyone
from accounts.authentication import callers_by_digest, token_digest
from accounts.quotas import TooManyRequests, request_wait
from purchases.classic import classic_purchase, classic_recorded
from purchases.services import (
    INSERT_IF_STILL_SIGNED_IN,
    Entry,
    Outcome,
    Recorded,
    Row,
    authorise,
    columns,
    identify,
    record_purchases,
    recorded_row,
    text_array,
)
from purchases.validation import PurchaseInput, parse_idempotency_key, parse_purchase
from shop import replica
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
SHARE_MIN = 16
QUEUE = 4000
WRITERS = 3
THREADS = 2
KNOWN_MAX = 50_000
BODY_SECONDS = 10.0
ANSWER_SECONDS = 5.5
STATEMENT_SECONDS = 6.0
LOCK_MILLISECONDS = 250
RECONNECT_SECONDS = 1.0
SWEEP_SECONDS = 0.25

API_PATH = "/api/v1/purchases/"
CLASSIC_PATHS = ("/buy", f"{CLASSIC_PREFIX}/buy")
PATHS = frozenset({API_PATH, *CLASSIC_PATHS})

App = Callable[[Any, Any, Any], Awaitable[None]]


class InvalidToken(NotAuthenticated):
    """The token is unknown, has ended, or belongs to an account that is not active."""

    code = "authentication_failed"
    detail = "Invalid token."


@dataclass(slots=True, eq=False)
class Request:
    """One purchase on its way through the queue; ``answer`` is called once, with its outcome."""

    digest: str
    purchase: PurchaseInput
    idempotency_key: str | None
    answer: Callable[[Outcome], None]
    deadline: float = 0.0
    taken: bool = False
    answered: bool = False
    counted: bool = False
    nonce: str | None = None

    def __post_init__(self) -> None:
        if self.idempotency_key is None and self.purchase.timestamp is None:
            self.nonce = uuid4().hex

    def settle(self, outcome: Outcome) -> None:
        """Give the answer, unless it was given before."""
        if not self.answered:
            self.answered = True
            self.answer(outcome)


class Known:
    """Accounts that this process has met: callers by token, customers by how they are named.

    Nothing here is believed without the statement's own check, so an entry may be out of date.
    """

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.customers: dict[tuple[str | None, str | None], tuple[int, str, str]] = {}

    def learn(self, digest: str, caller: Caller | None) -> None:
        """Remember whose token it is, or forget it."""
        if caller is None:
            self.callers.pop(digest, None)
            return
        if len(self.callers) >= KNOWN_MAX:
            self.callers.clear()
        self.callers[digest] = caller

    def learn_customer(self, entry: Entry, recorded: Recorded) -> None:
        """Remember who was meant by a pair of userid and username."""
        purchase = entry.purchase
        if not may_record_for_anyone(entry.caller) or purchase.userid == purchase.username is None:
            return
        if len(self.customers) >= KNOWN_MAX:
            self.customers.clear()
        _, username, userid, *_ = recorded.values
        self.customers[purchase.userid, purchase.username] = (
            recorded.customer_id,
            username,
            userid,
        )

    def row(self, index: int, request: Request) -> Row | None:
        """Return the request as a row, or ``None`` where it has to go the long way."""
        caller = self.callers.get(request.digest)
        if caller is None:
            return None
        purchase = request.purchase
        if purchase.userid is None and purchase.username is None:
            customer: tuple[int, str, str] | None = (caller.id, caller.username, caller.userid)
        elif may_record_for_anyone(caller):
            customer = self.customers.get((purchase.userid, purchase.username))
        else:
            try:
                authorise(caller, purchase)
            except ApplicationError:
                return None
            customer = (caller.id, caller.username, caller.userid)
        if customer is None:
            return None
        entry = Entry(caller, purchase, request.idempotency_key, request.nonce)
        return identify(index, entry, *customer)


class Ingest:
    """A bounded queue of purchases and the writers that empty it, a batch a transaction."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._open: deque[Request] = deque()
        self._unanswered = 0
        self._wake = asyncio.Event()
        self._known = Known()
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._long_ways: set[asyncio.Task[None]] = set()
        self.closing = False

    def start(self) -> None:
        """Start the writers; each writes one batch at a time."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ingest")
        self._tasks = [asyncio.create_task(self._write()) for _ in range(WRITERS)]
        self._tasks.append(asyncio.create_task(self._sweep()))

    async def stop(self) -> None:
        """Answer what is queued, then stop."""
        self.closing = True
        deadline = time.monotonic() + 4
        while self._unanswered and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._long_ways, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, request: Request) -> None:
        """Queue a purchase; its ``answer`` is called after the commit, in this event loop.

        The answer may be any ``ApplicationError``: ``Unavailable`` where the queue is full or
        PostgreSQL does not answer in time.
        """
        if self._unanswered >= QUEUE:
            request.settle(Unavailable())
            return
        give = request.answer

        def answer(outcome: Outcome) -> None:
            self._unanswered -= 1
            give(outcome)

        request.answer = answer
        request.deadline = time.monotonic() + ANSWER_SECONDS
        self._unanswered += 1
        self._open.append(request)
        self._waiting.append(request)
        self._wake.set()

    async def record(
        self, digest: str, purchase: PurchaseInput, idempotency_key: str | None
    ) -> Recorded:
        """Record one purchase with whatever else is waiting; return after the commit.

        Raises the purchase's own ``ApplicationError``, or ``Unavailable``.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        self.submit(Request(digest, purchase, idempotency_key, settle))
        outcome = await answer
        if isinstance(outcome, ApplicationError):
            raise outcome
        return outcome

    async def _sweep(self) -> None:
        """Answer the requests whose time is up; requests are in the order of their deadlines."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            opened = self._open
            while opened and (opened[0].answered or opened[0].deadline < now):
                request = opened.popleft()
                if request.taken:
                    request.settle(
                        Unavailable(
                            "The outcome is not known yet. Send the same request again to learn it."
                        )
                    )
                else:
                    request.settle(Unavailable())

    async def _write(self) -> None:
        writer = Writer(self._known)
        try:
            while True:
                await self._wake.wait()
                batch: list[Request] = []
                # A writer leaves the others their share of what waits: one that took it all would
                # leave the processor idle until the commit, and then have all of it to answer.
                share = min(BATCH, max(SHARE_MIN, len(self._waiting) // WRITERS))
                while self._waiting and len(batch) < share:
                    request = self._waiting.popleft()
                    # A request whose time is up has been told that nothing was recorded, so it
                    # is not written after that.
                    if not request.answered:
                        request.taken = True
                        batch.append(request)
                if not self._waiting:
                    self._wake.clear()
                if batch and (left := await writer.write(batch)):
                    task = asyncio.create_task(self._go_the_long_way(left))
                    self._long_ways.add(task)
                    task.add_done_callback(self._long_ways.discard)
        finally:
            await writer.close()

    async def _go_the_long_way(self, batch: list[Request]) -> None:
        batch = [request for request in batch if not request.answered]
        if batch:
            loop = asyncio.get_running_loop()
            outcomes = await loop.run_in_executor(self._threads, write_batch, batch, self._known)
            for request, outcome in zip(batch, outcomes, strict=True):
                request.settle(outcome)


class Writer:
    """The short way: a connection of the event loop, and the one statement it executes."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._connection: psycopg.AsyncConnection | None = None
        self._broken_until = 0.0

    async def close(self) -> None:
        """Close the connection, without waiting for a server that may hang."""
        if self._connection is not None:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await self._connection.close()
            self._connection = None

    async def write(self, batch: list[Request]) -> list[Request]:
        """Record and answer what can be; return the requests that have to go the long way."""
        rows: list[Row] = []
        left: list[Request] = []
        for index, request in enumerate(batch):
            row = self._known.row(index, request)
            if row is None:
                left.append(request)
            elif not request.counted and (wait := request_wait(row.entry.caller)):
                request.settle(TooManyRequests(wait))
            else:
                request.counted = True
                rows.append(row)
        if not rows:
            return left
        if time.monotonic() < self._broken_until:
            return [*left, *(batch[row.index] for row in rows)]
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                recorded = await self._insert(rows, batch)
        except (TimeoutError, psycopg.Error, OSError) as error:
            if isinstance(error, psycopg.Error) and error.sqlstate is not None:
                # The server refused the statement; the connection is as good as before.
                logger.info("purchase.short_way_refused", sqlstate=error.sqlstate)
            else:
                logger.warning("purchase.short_way_lost", reason=str(error).strip())
                await self.close()
                self._broken_until = time.monotonic() + RECONNECT_SECONDS
            return [*left, *(batch[row.index] for row in rows)]
        if replica.configured():
            # The answer waits for the note, so that who reads next sees what it wrote.
            await asyncio.to_thread(_note, {row.entry.caller.id for row in rows})
        for row in rows:
            request = batch[row.index]
            found = recorded.pop(row.dedupe_key, None)
            if found is None:
                left.append(request)
            else:
                request.settle(recorded_row(row, *found))
        return left

    async def _insert(
        self, rows: list[Row], batch: list[Request]
    ) -> dict[str, tuple[str, datetime]]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await _connect()
        callers = [row.entry.caller for row in rows]
        parameters = [
            *columns(rows),
            text_array([batch[row.index].digest for row in rows]),
            text_array(["t" if may_record_for_anyone(caller) else "f" for caller in callers]),
            text_array([row.username for row in rows]),
            text_array([row.userid for row in rows]),
        ]
        cursor = await connection.execute(INSERT_IF_STILL_SIGNED_IN, parameters, prepare=True)
        return {key: (id, at) for key, id, at in await cursor.fetchall()}


def _note(accounts: set[int]) -> None:
    try:
        replica.note(accounts)
    finally:
        django_connection.close()


async def _connect() -> psycopg.AsyncConnection:
    parameters: dict[str, Any] = dict(django_connection.get_connection_params())
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    # A batch that waits for somebody's lock holds up the others, so it soon goes the long way,
    # where each purchase waits for itself.
    # PostgreSQL would plan the statement anew for each small batch, which costs more than executing
    # it, and would always come to the same plan.
    parameters["options"] += (
        f" -c lock_timeout={LOCK_MILLISECONDS}ms -c timezone=UTC"
        " -c plan_cache_mode=force_generic_plan"
    )
    return await psycopg.AsyncConnection.connect(**parameters, autocommit=True)


def write_batch(batch: list[Request], known: Known) -> list[Outcome]:
    """Sign in and record a batch in the calling thread; return one outcome for each request."""
    try:
        callers = callers_by_digest({request.digest for request in batch})
        outcomes: list[Outcome | None] = [None] * len(batch)
        entries: list[Entry] = []
        places: list[int] = []
        for place, request in enumerate(batch):
            caller: Caller | None = callers.get(request.digest)
            known.learn(request.digest, caller)
            if caller is None:
                outcomes[place] = InvalidToken()
            elif not request.counted and (wait := request_wait(caller)):
                outcomes[place] = TooManyRequests(wait)
            else:
                request.counted = True
                entries.append(
                    Entry(caller, request.purchase, request.idempotency_key, request.nonce)
                )
                places.append(place)
        for place, entry, outcome in zip(places, entries, record_purchases(entries), strict=True):
            outcomes[place] = outcome
            if isinstance(outcome, Recorded):
                known.learn_customer(entry, outcome)
        return [outcome or ServerError() for outcome in outcomes]
    except Exception as error:
        if is_outage(error):
            logger.warning("purchase.unavailable", requests=len(batch))
            return [Unavailable() for _ in batch]
        logger.exception("purchase.batch_failed", requests=len(batch))
        return [ServerError() for _ in batch]
    finally:
        django_connection.close()


ingest = Ingest()


# --- Requests in, answers out ------------------------------------------------------------------


def token_of(headers: dict[bytes, bytes], query: bytes | None) -> str | None:
    """Return the token's digest if the request is one that is taken here, else ``None``.

    ``headers`` are those of a POST to one of ``PATHS``, with names in lower case.
    """
    length = headers.get(b"content-length", b"")
    token = headers.get(b"authorization", b"")
    if (
        token[:6].lower() != b"token "
        or not length.isdigit()
        or len(length) > 6
        or not 0 < int(length) <= BODY_MAX_BYTES
        or b"transfer-encoding" in headers
        or query
        or ingest.closing
    ):
        return None
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and (
        content_type.partition(b";")[0].strip().lower() != b"application/json"
    ):
        return None
    return token_digest(token[6:].strip())


def parse(
    headers: dict[bytes, bytes], body: bytes, *, classic: bool
) -> tuple[PurchaseInput, str | None]:
    """Return purchase and idempotency key; raise ``ApplicationError`` for what is malformed."""
    data = decode_json(body)
    key = headers.get(b"idempotency-key")
    idempotency_key = parse_idempotency_key(None if key is None else key.decode("latin-1"))
    if classic:
        data = classic_purchase(data)
    return parse_purchase(data, now=datetime.now(UTC)), idempotency_key


def render(outcome: Outcome, *, classic: bool) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and the headers that only this answer has."""
    if isinstance(outcome, ApplicationError):
        error = classic_error(outcome) if classic else error_body(outcome)
        return outcome.status, msgspec.json.encode(error), error_headers(outcome)
    answer: Any = classic_recorded(outcome.purchase) if classic else outcome.purchase
    extra = {"Idempotent-Replayed": "true"} if outcome.replayed else {}
    return 200 if classic or outcome.replayed else 201, msgspec.json.encode(answer), extra


def request_id(headers: dict[bytes, bytes]) -> bytes:
    """Return the request's own id where it is a good one, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given.decode("latin-1")):
        return given
    return str(uuid4()).encode()


HEADERS = [
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class IngestMiddleware:
    """The ASGI application in front of Django that takes what the ingest can take."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in PATHS:
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        digest = token_of(headers, scope["query_string"])
        if digest is None:
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        classic = scope["path"] != API_PATH
        body = await _body(receive)
        if body is None:
            return None
        try:
            purchase, idempotency_key = parse(headers, body, classic=classic)
        except ApplicationError:
            # The Django view says what is wrong, after it has looked at the token.
            return await self.app(scope, _replay(body, receive), send)
        outcome: Outcome
        try:
            outcome = await ingest.record(digest, purchase, idempotency_key)
        except ApplicationError as error:
            outcome = error
        status, answer, extra = render(outcome, classic=classic)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *HEADERS,
                    (b"content-length", str(len(answer)).encode()),
                    (b"x-request-id", request_id(headers)),
                    *((name.lower().encode(), value.encode()) for name, value in extra.items()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer})
        observe_request("POST", scope["path"].lstrip("/"), status, time.perf_counter() - started)
        return None


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


async def _body(receive: Any) -> bytes | None:
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
