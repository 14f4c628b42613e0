"""The caller of a socket or a long poll."""

from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from accounts.access import Caller
from accounts.authentication import (
    Credential,
    callers_by_credential,
    given_credential,
    given_token,
    ticket_redeem,
)
from shop.core.lookups import SharedLookup, SharedThreads

_callers: SharedLookup[Credential, Caller] = SharedLookup("sign-ins", callers_by_credential)
_tickets = SharedThreads(2, "tickets")


def request_of(scope: Any) -> HttpRequest:
    """Return a Django request with the headers of a request or of a socket's handshake."""
    # Django knows http and https only, which a socket calls ws and wss.
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    plain = {"method": "GET", "query_string": b"", "scheme": scheme}
    return ASGIRequest({**scope, **plain}, BytesIO())


async def sign_in(scope: Any, ticket: str | None = None) -> tuple[Caller, Credential] | None:
    """Return the caller and its credential; ``None`` for an anonymous request.

    A token counts before a ticket, and a ticket before a session. If one is invalid, the next is
    not tried.
    """
    request = request_of(scope)
    holder = scope["shop.holder"]
    token = given_token(request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1"))
    if token is None and ticket is not None:
        redeemed: tuple[Caller, Credential] | None = await _tickets.run(
            holder, ticket_redeem, ticket, request.META.get("REMOTE_ADDR", "")
        )
        return redeemed
    credential = given_credential(request, is_socket=scope["type"] == "websocket")
    if credential is None:
        return None
    caller = await _callers.find(holder, credential)
    return None if caller is None else (caller, credential)
