"""The websocket of the live feed: it signs the caller in, joins the hub, and leaves."""

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.utils import await_many_dispatch

from accounts.quotas import check_requests
from events.hub import hub
from events.reader import (
    CLOSE_BAD_REQUEST,
    CLOSE_NOT_ALLOWED,
    CLOSE_NOT_SIGNED_IN,
    CLOSE_POSITION_UNKNOWN,
    CLOSE_RESTARTING,
    CLOSE_TRY_AGAIN_LATER,
    Reader,
)
from events.selection import Asked
from events.selectors import PositionUnknown
from events.signing_in import sign_in
from shop.core.errors import (
    ApplicationError,
    Forbidden,
    Unavailable,
    ValidationFailed,
    send_error,
)
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

POSITION_MAX = 2**63 - 1
QUERY_MAX_BYTES = 2048


class Refused(Exception):
    """The server closes the socket with this code instead of serving it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def parse_after(value: str | None) -> int | None:
    """Return a position; raise ``ValueError`` for anything but 0 to 2⁶³-1."""
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 19):
        raise ValueError("after is a position: a whole number, 0 or more.")
    position = int(value)
    if position > POSITION_MAX:
        raise ValueError("after is larger than any position.")
    return position


class FeedConsumer(AsyncWebsocketConsumer):
    """``/ws/purchases/?after=<position>&scope=mine|all``, and ``/ws/events/`` with ``&types=``."""

    reader: Reader | None = None
    joining: asyncio.Task[None] | None = None

    def __init__(self, *args: Any, takes_types: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.takes_types = takes_types
        self.places = contextlib.ExitStack()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket, which needs no channel, because the hub subscribes for all of them."""
        self.scope = scope
        self.channel_layer = None
        self.base_send = send
        try:
            await await_many_dispatch([receive], self.dispatch)
        except StopConsumer:
            return
        finally:
            self._leave()

    async def connect(self) -> None:
        try:
            after, asked, ticket = self._parameters()
            signed_in = await sign_in(self.scope, ticket)
            if signed_in is None:
                raise Refused(CLOSE_NOT_SIGNED_IN, "Sign in first.")
            caller, credential = signed_in
            selection = asked.allowed_to(caller)
            check_requests(caller)
            teams = await hub.teams_of(
                caller, everything=selection.everything, types=selection.types
            )
            address = (self.scope.get("client") or ("",))[0]
            self.places.enter_context(hub.socket(caller.id, address))
        except Refused as refused:
            await self._refuse(refused.code, refused.reason)
            return
        except Exception as error:
            if isinstance(error, Forbidden):
                await self._refuse(CLOSE_NOT_ALLOWED, str(error))
            elif is_outage(error) or isinstance(error, Unavailable):
                await self._refuse(CLOSE_RESTARTING, "Try again shortly.")
            elif isinstance(error, ApplicationError):
                await self._deny(error)
            else:
                raise
            return
        await self.accept()
        self.reader = Reader(
            caller=caller,
            credential=credential,
            everything=selection.everything,
            types=selection.types,
            teams=teams,
            send=self._send_text,
            close=self._close,
            send_frame=self.scope.get("extensions", {}).get("shop.frames", {}).get("send"),
        )
        # Joining may replay many events; meanwhile the consumer still handles the client's
        # messages.
        self.joining = asyncio.create_task(self._join(self.reader, after))

    async def _refuse(self, code: int, reason: str) -> None:
        # A client sees the close code only of a socket that the server has accepted.
        await self.accept()
        await self.close(code=code, reason=reason)

    async def _deny(self, error: ApplicationError) -> None:
        """Answer the handshake with an HTTP error, as for a request."""
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._refuse(CLOSE_TRY_AGAIN_LATER, error.errors[0].detail)
            return
        await send_error(self.base_send, error, message="websocket.http.response")

    async def _join(self, reader: Reader, after: int | None) -> None:
        try:
            await hub.join(reader, after)
        except PositionUnknown:
            reader.close(CLOSE_POSITION_UNKNOWN)
        except Exception as error:
            if not (is_outage(error) or isinstance(error, ApplicationError)):
                logger.exception("feed.join_failed")
            reader.close(CLOSE_RESTARTING)

    def _parameters(self) -> tuple[int | None, Asked, str | None]:
        raw = self.scope.get("query_string", b"")
        if len(raw) > QUERY_MAX_BYTES:
            raise Refused(CLOSE_BAD_REQUEST, "The query is too long.")
        try:
            query = parse_qs(raw.decode("ascii"), keep_blank_values=True, errors="strict")
            if any(len(values) > 1 for values in query.values()):
                raise ValueError("Give each parameter once.")
            given = {name: values[0] for name, values in query.items()}
            after = parse_after(given.get("after"))
            asked = Asked.parse({"scope": "mine"} | given, takes_types=self.takes_types)
        except (ValueError, ValidationFailed) as error:
            raise Refused(CLOSE_BAD_REQUEST, str(error)[:100]) from None
        return after, asked, given.get("ticket")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Refuse the client's message, because the feed goes one way."""
        if self.reader is not None:
            self.reader.close(CLOSE_BAD_REQUEST)
        else:
            await self.close(code=CLOSE_BAD_REQUEST, reason="The feed takes no messages.")

    async def disconnect(self, code: int) -> None:
        self._leave()

    def _leave(self) -> None:
        if self.joining is not None:
            self.joining.cancel()
        if self.reader is not None:
            hub.leave(self.reader)
            self.reader = None
        self.places.close()

    async def _send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def _close(self, code: int) -> None:
        await self.base_send({"type": "websocket.close", "code": code, "reason": ""})
