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
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import structlog
from django.conf import settings
from django.db import connection as django_connection
from django.http.request import split_domain_port, validate_host

from accounts.access import Caller, may_record_for_anyone
from accounts.authentication import callers_by_digest, given_token, token_digest
from accounts.quotas import TooManyRequests, request_wait
from purchases.classic import classic_purchase, classic_recorded
from purchases.lanes import Lanes
from purchases.services import (
    BATCH_LOCK_MILLISECONDS,
    INSERT_IF_STILL_SIGNED_IN,
    Entry,
    KeyHeld,
    Outcome,
    Recorded,
    Row,
    array,
    authorise,
    columns,
    identify,
    is_held,
    is_lost,
    record_each,
    record_purchases,
    recorded_row,
    text_array,
    whose,
)
from purchases.validation import PurchaseInput, parse_idempotency_key, parse_purchase
from shop.core import background, replica
from shop.core.admission import account_holder
from shop.core.database import connect, in_time
from shop.core.errors import (
    ApplicationError,
    NotAuthenticated,
    OutcomeUnknown,
    ServerError,
    Unavailable,
    classic_error,
    error_body,
    error_headers,
)
from shop.core.metrics import observe_request
from shop.core.middleware import REQUEST_ID, new_request_id
from shop.core.outages import READ_ONLY, is_outage, sqlstate
from shop.core.pace import asked
from shop.core.parsers import decode_json
from shop.server.routes import BUYS, PURCHASES, purchase_path
from shop.server.threads import Threads

logger = structlog.get_logger(__name__)

BODY_MAX_BYTES = 64 * 1024
BATCH = 256
SHARE_MIN = 16
QUEUE = 4000
WRITERS = 3
THREADS = 2
LANE_THREADS = 2
KNOWN_MAX = 50_000
BODY_SECONDS = 10.0
ANSWER_SECONDS = 5.5
# A statement that takes longer is given up while there is time to try the long way.
STATEMENT_SECONDS = 3.0
RECONNECT_SECONDS = 1.0
SWEEP_SECONDS = 0.25
# How long one writer takes a batch apart that a lock has held up.
APART_SECONDS = 0.5

API_PATH = PURCHASES
_JSON = (b"application/json", b"application/json;charset=utf-8")
PATHS = frozenset({API_PATH, *BUYS})

App = Callable[[Any, Any, Any], Awaitable[None]]
Record = Callable[[Sequence[Entry]], list[Outcome]]


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
    # Whether a commit with it is or was on its way whose outcome is not known.
    uncertain: bool = False
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
            # What the answer holds is let go, though the request itself may be held for a while.
            answer, self.answer = self.answer, _ignore
            try:
                answer(outcome)
            except Exception:
                # Whoever settles has others to answer.
                logger.exception("purchase.answer_failed")

    def give_up(self) -> None:
        """Answer that it was not recorded, or that this is not known, unless it was answered."""
        if not self.answered:
            self.settle(OutcomeUnknown() if self.uncertain else Unavailable())


def _ignore(outcome: Outcome) -> None:
    """Answer nobody."""


class Queue:
    """Requests that wait for writers, first come first served."""

    def __init__(self, writers: int) -> None:
        self._writers = writers
        self._requests: deque[Request] = deque()
        self._wake = asyncio.Event()

    def put(self, *requests: Request) -> None:
        """Add requests and wake the writers."""
        self._requests.extend(requests)
        self._wake.set()

    async def take(self) -> list[Request]:
        """Wait for requests and return a writer's share of them, at most ``BATCH``.

        A request whose time is up has been told that nothing was recorded, so it is left out.
        """
        await self._wake.wait()
        requests = self._requests
        # A writer leaves the others their share of what waits: one that took it all would leave
        # the processor idle until the commit, and then have all of it to answer.
        share = min(BATCH, max(SHARE_MIN, len(requests) // self._writers))
        batch: list[Request] = []
        while requests and len(batch) < share:
            request = requests.popleft()
            if not request.answered:
                batch.append(request)
        if not requests:
            self._wake.clear()
        return batch


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

    def lane(self, request: Request) -> Hashable:
        """Return the lane of a request whose caller was met."""
        caller = self.callers.get(request.digest)
        if caller is None:
            return request.digest
        return whose(Entry(caller, request.purchase))

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
    """A bounded number of purchases and the writers that record them, a batch a transaction.

    A purchase is first in the queue of the short way and then, where it has to, of the long way.
    """

    def __init__(self) -> None:
        self._short = Queue(WRITERS)
        self._long = Queue(THREADS)
        self._open: deque[Request] = deque()
        self._unanswered = 0
        self._lanes: Lanes[Request] = Lanes()
        self._known = Known()
        self._threads = Threads(THREADS, "ingest")
        self._lane_threads = Threads(LANE_THREADS, "ingest-lane")
        self._tasks: list[asyncio.Task[None]] = []
        self.closing = False

    def start(self) -> None:
        """Start the writers; each writes one batch at a time."""
        works = [self._write_short] * WRITERS
        works += [self._write_long] * THREADS
        works += [self._write_lane] * LANE_THREADS
        works += [self._sweep]
        self._tasks = [
            background.start(work, name=f"ingest.{work.__name__.strip('_')}") for work in works
        ]

    async def stop(self) -> None:
        """Answer what is queued, then stop."""
        self.closing = True
        deadline = time.monotonic() + 4
        while self._unanswered and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for request in self._open:
            request.give_up()

    def submit(self, request: Request) -> None:
        """Queue a purchase; its ``answer`` is called after the commit, in this event loop.

        The answer may be any ``ApplicationError``: ``Unavailable`` where too many wait or
        PostgreSQL does not answer in time, ``OutcomeUnknown`` where it may have recorded it.
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
        self._short.put(request)

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
                opened.popleft().give_up()

    async def _write_short(self) -> None:
        writer = Writer(self._known, self._lanes)
        try:
            while True:
                if left := await writer.write(await self._short.take()):
                    self._long.put(*left)
        finally:
            await writer.close()

    async def _write_long(self) -> None:
        while True:
            if not (batch := await self._long.take()):
                continue
            for request, outcome in await self._outcomes(batch, record_purchases):
                if isinstance(outcome, KeyHeld):
                    wait_in_lane(self._lanes, self._known, request)
                else:
                    request.settle(outcome)

    async def _write_lane(self) -> None:
        while True:
            lane, waiting = await self._lanes.take()
            try:
                batch = [request for request in waiting if not request.answered]
                for request, outcome in await self._outcomes(batch, record_each):
                    if isinstance(outcome, KeyHeld):
                        self._lanes.met_lock(lane)
                    request.settle(outcome)
            finally:
                self._lanes.done(lane)

    async def _outcomes(
        self, batch: list[Request], record: Record
    ) -> list[tuple[Request, Outcome]]:
        """Return what became of each request in a thread; none of them is answered yet."""
        lost = [request.uncertain for request in batch]
        for request in batch:
            request.uncertain = True
        threads = self._threads if record is record_purchases else self._lane_threads
        outcomes = await threads.run(write_batch, batch, self._known, record)
        found: list[tuple[Request, Outcome]] = []
        for request, outcome, earlier in zip(batch, outcomes, lost, strict=True):
            if isinstance(outcome, KeyHeld):
                request.uncertain = earlier
            unknown = earlier and isinstance(outcome, Unavailable)
            held = isinstance(outcome, KeyHeld) and record is record_purchases
            found.append((request, OutcomeUnknown() if unknown and not held else outcome))
        return found


def wait_in_lane(lanes: "Lanes[Request]", known: Known, request: Request) -> None:
    """Let a request that has met a lock wait in its lane; answer it where that is full."""
    lane = known.lane(request)
    lanes.met_lock(lane)
    if not lanes.put(lane, request):
        request.settle(OutcomeUnknown() if request.uncertain else KeyHeld())


class Writer:
    """The short way: a connection of the event loop, and the one statement it executes."""

    def __init__(self, known: Known, lanes: "Lanes[Request]") -> None:
        self._known = known
        self._lanes = lanes
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
        keys: set[str] = set()
        any_apart = self._lanes.are_any_apart()
        for index, request in enumerate(batch):
            row = self._known.row(index, request)
            if row is not None and any_apart and self._lanes.is_apart(whose(row.entry)):
                wait_in_lane(self._lanes, self._known, request)
                continue
            # Which of two rows with one key is recorded is not said, so the second one waits.
            if row is None or row.dedupe_key in keys:
                left.append(request)
            elif not request.counted and (wait := request_wait(row.entry.caller)):
                request.settle(TooManyRequests(wait))
            else:
                request.counted = True
                keys.add(row.dedupe_key)
                rows.append(row)
        if not rows:
            return left
        if time.monotonic() < self._broken_until:
            return [*left, *(batch[row.index] for row in rows)]
        return [*left, *await self._record(rows, batch)]

    async def _record(self, rows: list[Row], batch: list[Request]) -> list[Request]:
        """Record and answer rows; return the requests that have to go the long way."""
        for row in (rows[0], rows[-1]):
            asked.note(account_holder(row.entry.caller.id))
        try:
            recorded = await in_time(self._insert(rows, batch), STATEMENT_SECONDS)
        except (TimeoutError, psycopg.Error, OSError) as error:
            requests = [batch[row.index] for row in rows]
            lost = is_lost(error)
            if not lost:
                # The server refused the statement, so nothing was recorded.
                for request in requests:
                    request.uncertain = False
            if lost or sqlstate(error) == READ_ONLY:
                # A primary that was demoted stays read-only; its successor is elsewhere.
                logger.warning("purchase.short_way_lost", reason=str(error).strip())
                await self.close()
                self._broken_until = time.monotonic() + RECONNECT_SECONDS
                return requests
            logger.info("purchase.short_way_refused", reason=str(error).strip())
            return await self._apart(rows, batch) if is_held(error) else requests
        if replica.configured():
            # Write the replica marker before answering, so that the caller's next read sees this
            # purchase.
            await asyncio.to_thread(_note, {row.entry.caller.id for row in rows})
        left = []
        for row in rows:
            request = batch[row.index]
            found = recorded.pop(row.dedupe_key, None)
            if found is None:
                request.uncertain = False
                left.append(request)
            else:
                request.settle(recorded_row(row, *found))
        return left

    async def _apart(self, rows: list[Row], batch: list[Request]) -> list[Request]:
        """Record the rows of each caller and customer by themselves, after a lock held up all.

        Whoever is held up alone too goes to its lane.
        """
        groups: defaultdict[Hashable, list[Row]] = defaultdict(list)
        for row in rows:
            groups[whose(row.entry)].append(row)
        left: list[Request] = []
        ends = time.monotonic() + APART_SECONDS
        for group in groups.values():
            if len(groups) == 1 or time.monotonic() > ends:
                for row in group:
                    wait_in_lane(self._lanes, self._known, batch[row.index])
            else:
                left += await self._record(group, batch)
        return left

    async def _insert(
        self, rows: list[Row], batch: list[Request]
    ) -> dict[str, tuple[str, datetime]]:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = await _connect()
        # Some may have been told meanwhile that nothing was recorded.
        rows = [row for row in rows if not batch[row.index].answered]
        if not rows:
            return {}
        for row in rows:
            batch[row.index].uncertain = True
        callers = [row.entry.caller for row in rows]
        parameters = [
            *columns(rows),
            array([batch[row.index].digest for row in rows]),
            array(["t" if may_record_for_anyone(caller) else "f" for caller in callers]),
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
    # A batch that waits for somebody's lock holds up the others, so it is soon taken apart.
    # PostgreSQL would plan the statement anew for each small batch, which costs more than executing
    # it, and would always come to the same plan.
    return await connect(
        options=f" -c lock_timeout={BATCH_LOCK_MILLISECONDS}ms -c timezone=UTC"
        " -c plan_cache_mode=force_generic_plan"
    )


def write_batch(
    batch: list[Request], known: Known, record: Record = record_purchases
) -> list[Outcome]:
    """Sign in and record a batch in the calling thread; return one outcome for each request."""
    outcomes: list[Outcome | None] = [None] * len(batch)
    try:
        callers = callers_by_digest({request.digest for request in batch})
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
        for place, entry, outcome in zip(places, entries, record(entries), strict=True):
            outcomes[place] = outcome
            if isinstance(outcome, Recorded):
                known.learn_customer(entry, outcome)
        return [outcome or ServerError() for outcome in outcomes]
    except OutcomeUnknown:
        return [outcome or OutcomeUnknown() for outcome in outcomes]
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


@lru_cache(maxsize=64)
def _is_ours(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def token_of(headers: dict[bytes, bytes], query: bytes | None) -> str | None:
    """Return the token's digest if the request is one that is taken here, else ``None``.

    ``headers`` are those of a POST to one of ``PATHS``, with names in lower case.
    """
    length = headers.get(b"content-length", b"")
    token = given_token(headers.get(b"authorization", b""))
    if (
        token is None
        or not length.isdigit()
        or len(length) > 6
        or not 0 < int(length) <= BODY_MAX_BYTES
        or b"transfer-encoding" in headers
        or b"content-encoding" in headers
        or query
        or not _is_ours(headers.get(b"host", b""))
        or ingest.closing
    ):
        return None
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and (
        content_type.replace(b" ", b"").lower() not in _JSON
    ):
        return None
    return token_digest(token)


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
    body = msgspec.json.encode(answer)
    if outcome.replayed:
        return 200, body, {"Idempotent-Replayed": "true"}
    if classic:
        return 200, body, {}
    return 201, body, {"Location": purchase_path(outcome.purchase["id"])}


def request_id(headers: dict[bytes, bytes]) -> bytes:
    """Return the request's own id where it is a good one, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given.decode("latin-1")):
        return given
    return new_request_id().encode()


HEADERS = [
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
]
# Where plain HTTP is not taken, Django says so.
ONLY_SECURE = bool(settings.SECURE_SSL_REDIRECT)
if ONLY_SECURE and settings.SECURE_HSTS_SECONDS:
    HEADERS.append(
        (
            b"strict-transport-security",
            b"max-age=%d; includeSubDomains; preload" % settings.SECURE_HSTS_SECONDS,
        )
    )


class IngestMiddleware:
    """The ASGI application in front of Django that takes what the ingest can take."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or scope["path"] not in PATHS
            or (ONLY_SECURE and scope["scheme"] != "https")
        ):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        digest = token_of(headers, scope["query_string"])
        # Which of two headers with one name counts is for Django to say.
        if digest is None or len(headers) != len(scope["headers"]):
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        classic = scope["path"] != API_PATH
        body = scope["shop.body"]
        try:
            purchase, idempotency_key = parse(headers, body.read(), classic=classic)
        except ApplicationError:
            # The Django view says what is wrong, after it has looked at the token.
            body.seek(0)
            return await self.app(scope, receive, send)
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
