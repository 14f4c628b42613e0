"""The ASGI application in front of Django that saves and finishes attempts.

A request that is plainly well formed waits for a place in the next batch, and costs neither a
thread nor a transaction of its own. Django's views answer every other request.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
import structlog
from django.db import connection

from quizzes.answering import hooks
from quizzes.answering.api import saved_represent
from quizzes.answering.definitions import known, known_quiz
from quizzes.answering.finishing import Finished, attempts_finish
from quizzes.answering.requests import (
    MAX_BYTES,
    Finish,
    Save,
    read_finish,
    read_save,
    save_of,
    secret_of,
)
from quizzes.answering.routes import Q
from quizzes.answering.saving import Saved, attempts_save
from shop.core.admission import address_holder
from shop.core.errors import (
    ApplicationError,
    OutcomeUnknown,
    ServerError,
    Unavailable,
    error_body,
    error_headers,
)
from shop.core.metrics import observe_request
from shop.core.parsers import decode_json
from shop.core.site_settings.general import READ_ONLY
from shop.core.threads import Threads
from shop.server.answers import HEADERS, ONLY_SECURE, App, request_id
from shop.server.hosts import is_ours

logger = structlog.get_logger(__name__)

WAITING = 2000
ANSWER_SECONDS = 5.5
SAVES, FINISHES = 64, 16

Item = TypeVar("Item")


class Batches(Generic[Item]):
    """Does what comes at once together, in a bounded number of threads."""

    def __init__(
        self, name: str, do: Callable[[Sequence[Item]], list[Any]], *, threads: int, most: int
    ) -> None:
        self._do = do
        self._most = most
        self._idle = threads
        self._threads = Threads(threads, name)
        self._waiting: deque[tuple[Item, asyncio.Future[Any]]] = deque()

    async def outcome(self, item: Item) -> Any:
        """Return the outcome of an item. Raise ``Unavailable``, or ``OutcomeUnknown``."""
        if len(self._waiting) >= WAITING:
            raise Unavailable()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            raise OutcomeUnknown() from None

    def _start(self) -> None:
        while self._idle and self._waiting:
            batch: list[tuple[Item, asyncio.Future[Any]]] = []
            while self._waiting and len(batch) < self._most:
                item, future = self._waiting.popleft()
                # Who has the answer that nothing is known must not be done after it.
                if not future.done():
                    batch.append((item, future))
            if batch:
                self._idle -= 1
                done = self._threads.run(self._run, [item for item, _ in batch])
                done.add_done_callback(partial(self._settle, batch))

    def _run(self, items: Sequence[Item]) -> list[Any]:
        try:
            return self._do(items)
        finally:
            connection.close()

    def _settle(
        self, batch: list[tuple[Item, asyncio.Future[Any]]], done: "asyncio.Future[list[Any]]"
    ) -> None:
        self._idle += 1
        error = done.exception()
        if error is not None:
            logger.error("attempt.batch_failed", exc_info=error)
        outcomes = [ServerError()] * len(batch) if error else done.result()
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
        self._start()


class AnsweringMiddleware:
    """The ASGI application in front of Django that takes saves and finishes of attempts."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._saves: Batches[Save] = Batches("saves", attempts_save, threads=2, most=SAVES)
        self._finishes: Batches[Finish] = Batches(
            "finishes", attempts_finish, threads=2, most=FINISHES
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a save or a finish; hand everything else on."""
        place = _place(scope)
        if place is None:
            return await self.app(scope, receive, send)
        slug, id, finishes = place
        started = time.perf_counter()
        headers = dict(scope["headers"])
        # If a header is repeated, let Django decide.
        if len(headers) != len(scope["headers"]):
            return await self.app(scope, receive, send)
        body = scope["shop.body"]
        try:
            item = _item(slug, id, headers, body.read(), finishes=finishes)
        except ApplicationError:
            item = None
        if item is None:
            body.seek(0)
            return await self.app(scope, receive, send)
        outcome: Any
        try:
            hooks.admit(
                hooks.Facts(
                    action="finish" if finishes else "save",
                    slug=slug,
                    quiz=item.quiz_id,
                    attempt=id,
                    network=address_holder((scope.get("client") or ("",))[0]),
                )
            )
            if isinstance(item, Save):
                outcome = await self._saves.outcome(item)
            else:
                outcome = await self._finishes.outcome(item)
        except ApplicationError as error:
            outcome = error
        status, answer, extra = _rendered(outcome)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *HEADERS,
                    (b"content-length", b"%d" % len(answer)),
                    (b"x-request-id", request_id(headers)),
                    *((name.lower().encode(), value.encode()) for name, value in extra.items()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer})
        observe_request(scope["method"], _ROUTES[finishes], status, time.perf_counter() - started)
        return None


_ROUTE = f"{Q[1:]}<str:slug>/attempts/<uuid:id>/"
_ROUTES = (_ROUTE, f"{_ROUTE}finish/")


def _place(scope: Any) -> tuple[str, UUID, bool] | None:
    """Return quiz and attempt, and whether it is to be finished; ``None`` for what Django does."""
    if (
        scope["type"] != "http"
        or scope["method"] not in ("PUT", "POST")
        or not scope["path"].startswith(Q)
        or scope["query_string"]
        or "shop.body" not in scope
        or scope["shop.size"] > MAX_BYTES
        or READ_ONLY.value
        or (ONLY_SECURE and scope["scheme"] != "https")
    ):
        return None
    match scope["path"][len(Q) :].split("/"):
        case [slug, "attempts", id, ""] if scope["method"] == "PUT":
            finishes = False
        case [slug, "attempts", id, "finish", ""] if scope["method"] == "POST":
            finishes = True
        case _:
            return None
    try:
        found = UUID(id)
    except ValueError:
        return None
    return (slug, found, finishes) if str(found) == id else None


def _item(
    slug: str, id: UUID, headers: dict[bytes, bytes], body: bytes, *, finishes: bool
) -> Save | Finish | None:
    """Return what is to be done, or ``None`` where Django has to see. Raise as its view does."""
    if (
        headers.get(b"content-type", b"").replace(b" ", b"").lower() not in _JSON
        or b"content-encoding" in headers
        or b"challenge" in headers
        or not is_ours(headers.get(b"host", b""))
    ):
        return None
    secret = secret_of(headers.get(b"authorization", b"").decode("latin-1"))
    data = decode_json(body)
    if finishes:
        quiz = known_quiz(slug)
        end = read_finish(data)
        return None if quiz is None else Finish(id, quiz, secret, end.rev, end.answers)
    state = read_save(data)
    version = known(slug, state.version)
    return None if version is None else save_of(id, secret, state, version)


_JSON = (b"application/json", b"application/json;charset=utf-8")


def _rendered(outcome: Any) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and further headers of the answer."""
    if isinstance(outcome, Saved):
        body = msgspec.json.encode(saved_represent(outcome))
        return 201 if outcome.created else 200, body, {}
    if isinstance(outcome, Finished):
        if outcome.replayed:
            return 200, outcome.body, {"Idempotent-Replayed": "true"}
        return 201, outcome.body, {}
    return outcome.status, msgspec.json.encode(error_body(outcome)), error_headers(outcome)
