"""``GET /api/v1/events/?wait=``: holds a request until there is something to answer."""

import time
from typing import Any
from urllib.parse import parse_qsl

from accounts.access import may_see_everything
from purchases.api import events_parameters
from purchases.consumers import sign_in
from purchases.hub import hub, in_database
from purchases.ingest import App
from purchases.selectors import events_page
from shop.errors import ApplicationError, Unavailable, is_outage, send_error
from shop.routes import EVENTS


class LongPollMiddleware:
    """The ASGI application in front of Django that does the waiting.

    It only delays: the answer itself, and every error, comes from the Django view.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and scope["path"] == EVENTS
            and b"wait=" in scope["query_string"]
        ):
            try:
                await self._wait(scope)
            except (ApplicationError, ValueError):
                pass
            except Exception as error:
                if not is_outage(error):
                    raise
                # The view would wait for the same database once more before it said the same.
                await send_error(send, Unavailable())
                return
        await self.app(scope, receive, send)

    async def _wait(self, scope: Any) -> None:
        query = dict(parse_qsl(scope["query_string"].decode("ascii")))
        signed_in = await sign_in(scope)
        if signed_in is None:
            return
        caller, _ = signed_in
        after, _, wait, everything = events_parameters(query, staff=may_see_everything(caller))
        customer_id = None if everything else caller.id
        deadline = time.monotonic() + wait
        while not hub.draining and (left := deadline - time.monotonic()) > 0:
            waiting = hub.waiting(customer_id)
            try:
                events, _ = await in_database(
                    events_page, caller, after=after, limit=1, everything=everything
                )
                if events:
                    return
                await waiting.wait(left)
            finally:
                waiting.cancel()
