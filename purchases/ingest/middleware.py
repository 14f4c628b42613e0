"""The ASGI application in front of Django that takes single purchases."""

import time
from typing import Any

from purchases.entries import Outcome
from purchases.ingest.engine import ingest
from purchases.ingest.http import (
    API_PATH,
    PATHS,
    parse,
    render,
    token_of,
)
from shop.core.errors import ApplicationError
from shop.core.metrics import observe_request
from shop.core.site_settings.general import READ_ONLY
from shop.server.answers import HEADERS, ONLY_SECURE, App, request_id


class IngestMiddleware:
    """The ASGI application in front of Django that hands single purchases to the ingest."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "POST"
            or scope["path"] not in PATHS
            or READ_ONLY.value
            or (ONLY_SECURE and scope["scheme"] != "https")
        ):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        digest = token_of(headers, scope["query_string"])
        # If a header is repeated, let Django decide.
        if digest is None or len(headers) != len(scope["headers"]):
            return await self.app(scope, receive, send)
        started = time.perf_counter()
        classic = scope["path"] != API_PATH
        body = scope["shop.body"]
        try:
            purchase, idempotency_key = parse(headers, body.read(), classic=classic)
        except ApplicationError:
            # The Django view answers with the error, after it has checked the token.
            body.seek(0)
            return await self.app(scope, receive, send)
        client = (scope.get("client") or ("",))[0]
        outcome: Outcome
        try:
            outcome = await ingest.record(digest, purchase, idempotency_key, lambda: client)
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
