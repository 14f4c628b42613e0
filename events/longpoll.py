"""``GET /api/v1/events/?wait=``: holds a request until there is an event."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from django.conf import settings
from django.core.exceptions import DisallowedHost

from accounts.access import Caller
from accounts.quotas import check_requests
from events.api import events_parameters
from events.hub import hub
from events.routes import EVENTS
from events.signing_in import request_of, sign_in
from shop.core.errors import ApplicationError, Unavailable, send_error
from shop.core.metrics import observe_request
from shop.core.outages import is_outage
from shop.server.answers import HEADERS, App, request_id


class LongPollMiddleware:
    """The ASGI application in front of Django that answers requests with `wait`.

    The answer is that of the Django view. The view answers all other requests, also malformed ones
    and those without a caller. A wait costs no thread and no query.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"] != EVENTS
            or b"wait=" not in unquote_to_bytes(scope["query_string"])
        ):
            await self.app(scope, receive, send)
            return
        try:
            asked = await _asked(scope)
            if asked is not None:
                await _wait(scope, receive, send, *asked)
                return
        except ApplicationError as error:
            await send_error(send, error)
            return
        except Exception as error:
            if not is_outage(error):
                raise
            await send_error(send, Unavailable())
            return
        await self.app(scope, receive, send)


async def _asked(scope: Any) -> tuple[Caller, dict[str, Any]] | None:
    """Return the caller and what it waits for; ``None`` where the view has to answer.

    Raise the errors of :func:`sign_in`.
    """
    try:
        request_of(scope).get_host()
        pairs = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True)
    except (DisallowedHost, ValueError):
        return None
    query = dict(pairs)
    if len(query) < len(pairs):
        return None
    if settings.SECURE_SSL_REDIRECT and scope["scheme"] != "https":
        return None
    signed_in = await sign_in(scope)
    if signed_in is None:
        return None
    caller = signed_in[0]
    try:
        after, limit, wait, asked = events_parameters(query)
        selection = asked.allowed_to(caller)
    except ApplicationError:
        return None
    if not wait:
        return None
    return caller, {
        "after": after,
        "limit": limit,
        "seconds": wait,
        "everything": selection.everything,
        "types": selection.types,
    }


async def _wait(
    scope: Any, receive: Any, send: Any, caller: Caller, parameters: dict[str, Any]
) -> None:
    """Answer when there is an event or the time is over, unless the client has left."""
    check_requests(caller)
    left = asyncio.create_task(_left(receive))
    try:
        with hub.poll(caller.id, (scope.get("client") or ("",))[0]):
            events, position = await hub.events(caller, left=left, **parameters)
        if not left.done():
            await _answer(scope, send, events, position)
    finally:
        left.cancel()


async def _left(receive: Callable[[], Any]) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(scope: Any, send: Any, events: list[str], position: int) -> None:
    started = time.perf_counter()
    body = f'{{"events":[{",".join(events)}],"position":{position}}}'.encode()
    headers = [
        *HEADERS,
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id(dict(scope["headers"]))),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    # The client asked for the wait, so it is no part of the response time.
    observe_request("GET", EVENTS[1:], 200, time.perf_counter() - started)
