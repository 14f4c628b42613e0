"""One socket of the live feed, as the hub sees it: its queue of frames, and how it closes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import structlog

from accounts.access import Caller, audience_of, keeps
from accounts.authentication import Credential
from events.teams import about_teams
from events.types import readable
from shop.server.sockets import text_frame

logger = structlog.get_logger(__name__)

QUEUE_FRAMES = 200
QUEUE_BYTES = 1024 * 1024
SEND_SECONDS = 10.0

CLOSE_BAD_REQUEST = 4400
CLOSE_NOT_SIGNED_IN = 4401
CLOSE_NOT_ALLOWED = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_POSITION_UNKNOWN = 4409
CLOSE_RESTARTING = 1012
CLOSE_TRY_AGAIN_LATER = 1013

Send = Callable[[str], Awaitable[None]]
SendFrame = Callable[[bytes], bool]
Close = Callable[[int], Awaitable[None]]


class Frame:
    """A message, serialised once for all its sockets, as text and as bytes on the wire."""

    __slots__ = ("data", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text_frame(text)


def frame(events: Iterable[str], position: int) -> Frame:
    """Return an ``events`` message of events that are already JSON."""
    return Frame(f'{{"type":"events","events":[{",".join(events)}],"position":{position}}}')


class Reader:
    """One socket's place in the feed, and its queue of frames.

    ``position`` is the highest position that was sent or queued. A reader is ``greeted`` after its
    first message, and ``live`` once it has everything up to the hub's position.

    ``send_frame``, where the server offers it, sends a frame at once if the queue is empty. It
    returns ``False`` when the socket's buffer is full. ``send`` sends queued frames, in order.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        credential: Credential,
        everything: bool,
        types: frozenset[int],
        teams: tuple[int, ...] = (),
        send: Send,
        close: Close,
        send_frame: SendFrame | None = None,
    ) -> None:
        self.caller = caller
        self.credential = credential
        self.everything = everything
        self.audience = audience_of(caller, everything=everything, teams=teams)
        self.types = types
        self.position = 0
        self.greeted = False
        self.live = False
        self._send = send
        self._send_frame = send_frame
        self._sending = False
        self._close = close
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(QUEUE_FRAMES + 1)
        self._queued_bytes = 0
        self._close_code: int | None = None
        self._writer = asyncio.create_task(self._write())

    def may_go_on(self, caller: Caller) -> bool:
        """Return whether the caller may still read all the events of this socket."""
        permitted = readable(caller.permissions, everything=self.everything)
        return self.types <= permitted and keeps(caller, self.audience)

    def has_other_teams(self, teams: tuple[int, ...]) -> bool:
        """Return whether these are not the teams whose events this socket gets."""
        return (
            self.audience is not None
            and about_teams(self.types)
            and set(self.audience.teams) != set(teams)
        )

    def put(self, frame: Frame) -> None:
        """Send a frame or queue it; close a reader whose queue is full with 4408."""
        if self._close_code is not None:
            return
        if (
            self._send_frame is not None
            and not self._sending
            and self._frames.empty()
            and self._send_frame(frame.data)
        ):
            return
        if self._frames.qsize() >= QUEUE_FRAMES or self._queued_bytes > QUEUE_BYTES:
            self.close(CLOSE_TOO_SLOW)
            return
        self._queued_bytes += len(frame.data)
        self._frames.put_nowait(frame)

    def close(self, code: int) -> None:
        """End the socket with ``code``, without waiting for the frames before it."""
        if self._close_code is not None:
            return
        self._close_code = code
        while not self._frames.empty():
            self._frames.get_nowait()
        self._queued_bytes = 0
        self._frames.put_nowait(None)
        if code == CLOSE_TOO_SLOW:
            self._writer.cancel()

    def cancel(self) -> None:
        """Stop writing; the socket is gone."""
        self._close_code = self._close_code or 1000
        self._writer.cancel()

    async def drained(self) -> None:
        """Wait until the queue is short, so that a replay does not outrun its reader."""
        while self._frames.qsize() > 1 and self._close_code is None:
            await asyncio.sleep(0.01)

    @property
    def closing(self) -> bool:
        return self._close_code is not None

    async def _write(self) -> None:
        try:
            while True:
                frame = await self._frames.get()
                if frame is None:
                    break
                self._queued_bytes -= len(frame.data)
                self._sending = True
                await asyncio.wait_for(self._send(frame.text), SEND_SECONDS)
                self._sending = False
        except TimeoutError:
            self._close_code = CLOSE_TOO_SLOW
        except asyncio.CancelledError:
            if self._close_code != CLOSE_TOO_SLOW:
                raise
        except Exception as error:
            # The connection broke; the consumer gets the disconnect and unregisters the reader.
            logger.debug("feed.send_failed", reason=type(error).__name__)
            return
        # The close frame waits behind data that the client has not read. If the client never reads
        # it, the server's ping timeout ends the connection.
        with contextlib.suppress(Exception):
            await self._close(self._close_code or 1000)
