"""The hub: one subscription to the event log for each live process, fanned out to its readers.

A frame is serialised once for all sockets that are to get the same events. The hub keeps a
position; an announcement that does not follow it, or silence, makes it read the event table, so
what Valkey or the relay lost is repaired here, once for all readers.
"""

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from accounts.access import Caller, may_see_everything
from accounts.authentication import Credential, callers_by_credential
from purchases.channel import GROUP
from purchases.relay import encode_event
from purchases.selectors import events_after, latest_position
from shop.errors import is_outage
from shop.metrics import SOCKETS
from shop.sockets import text_frame

logger = structlog.get_logger(__name__)

CATCH_UP_LIMIT = 500
SILENCE_SECONDS = 2.0
QUEUE_FRAMES = 200
QUEUE_BYTES = 1024 * 1024
SEND_SECONDS = 10.0

CLOSE_BAD_REQUEST = 4400
CLOSE_NOT_SIGNED_IN = 4401
CLOSE_NOT_ALLOWED = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_RESTARTING = 1012
CLOSE_TRY_AGAIN_LATER = 1013

Send = Callable[[str], Awaitable[None]]
SendFrame = Callable[[bytes], bool]
Close = Callable[[int], Awaitable[None]]


class Frame:
    """A message, serialised once for all sockets that are to get it, as text and on the wire."""

    __slots__ = ("data", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text_frame(text)


def frame(events: Iterable[str], position: int) -> Frame:
    """Return an ``events`` message of events that are already JSON."""
    return Frame(f'{{"type":"events","events":[{",".join(events)}],"position":{position}}}')


class Reader:
    """One socket's place in the feed, and the frames that wait for it.

    ``position`` is the highest position whose events have been put to it. A reader is ``greeted``
    once it was sent the first message, and ``live`` once it has been given everything up to the
    hub's position.

    A frame goes out at once by ``send_frame``, where the server has it and nothing waits; it says
    ``False`` while the client has to read first. What waits is sent by ``send``, one by one.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        credential: Credential,
        everything: bool,
        send: Send,
        close: Close,
        send_frame: SendFrame | None = None,
    ) -> None:
        self.caller = caller
        self.credential = credential
        self.everything = everything
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

    @property
    def customer_id(self) -> int | None:
        """Return whose events this reader gets; ``None`` for everybody's."""
        return None if self.everything else self.caller.id

    def put(self, frame: Frame) -> None:
        """Send a frame or queue it; a reader that lets too many wait is closed with 4408."""
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
            # The connection broke; its consumer hears of that and unregisters the reader.
            logger.debug("feed.send_failed", reason=type(error).__name__)
            return
        # The close frame waits behind what the client has not read; the server's own ping ends a
        # connection that never takes it.
        with contextlib.suppress(Exception):
            await self._close(self._close_code or 1000)


class Waiting:
    """Somebody who waits for one event; made before the look at the table that finds none yet."""

    def __init__(self, waiters: "set[Waiting]", customer_id: int | None) -> None:
        self.customer_id = customer_id
        self.event = asyncio.Event()
        self._waiters = waiters
        waiters.add(self)

    async def wait(self, seconds: float) -> None:
        """Return when an event comes or the seconds are over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), seconds)

    def cancel(self) -> None:
        """Stop waiting."""
        self._waiters.discard(self)


class Hub:
    """Every reader of this process, and the position they have been brought to."""

    def __init__(self) -> None:
        self.position = 0
        self.started = False
        self.draining = False
        self._heard = 0.0
        self._readers: set[Reader] = set()
        self._everything: set[Reader] = set()
        self._by_customer: defaultdict[int, set[Reader]] = defaultdict(set)
        self._waiters: set[Waiting] = set()
        self._sockets: Counter[int] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        self._catching_up = asyncio.Lock()

    # --- life ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start listening; returns at once, and readers wait until the position is known."""
        self._tasks = [
            asyncio.create_task(self._forever(work), name=f"hub.{work.__name__}")
            for work in (self._listen, self._watch, self._beat, self._check_credentials)
        ]

    def drain(self) -> None:
        """Let everybody go who waits for an event; nobody is to wait from now on."""
        self.draining = True
        for waiting in self._waiters:
            waiting.event.set()

    async def stop(self) -> None:
        """Close every socket with 1012, so that clients resume elsewhere."""
        for task in self._tasks:
            task.cancel()
        for reader in list(self._readers):
            reader.close(CLOSE_RESTARTING)
        deadline = time.monotonic() + 2
        while self._readers and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                if not is_outage(error):
                    logger.exception("hub.failed", work=work.__name__)
                await asyncio.sleep(0.5)

    # --- events in -----------------------------------------------------------------------

    async def _listen(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(GROUP, channel)
            while True:
                message = await layer.receive(channel)
                if message["type"] == "events":
                    await self._hear(message)
        finally:
            with contextlib.suppress(Exception):
                await layer.group_discard(GROUP, channel)

    async def _hear(self, message: dict[str, Any]) -> None:
        self._heard = time.monotonic()
        if not self.started or message["position"] <= self.position:
            return
        async with self._catching_up:
            if message["previous"] <= self.position < message["position"]:
                events = [tuple(event) for event in message["events"] if event[0] > self.position]
                self._deliver(events, message["position"])
                return
        await self._catch_up()

    async def _watch(self) -> None:
        """Read the table whenever the relay has not been heard."""
        while True:
            if not self.started or time.monotonic() - self._heard > SILENCE_SECONDS:
                await self._catch_up()
            await asyncio.sleep(0.5)

    async def _beat(self) -> None:
        """Keep sockets awake; asks nothing of PostgreSQL or Valkey, which may be away."""
        while True:
            await asyncio.sleep(settings.FEED_HEARTBEAT_SECONDS)
            for reader in list(self._readers):
                if reader.greeted:
                    position = reader.position
                    if reader.live:
                        position = max(self.position, position)
                    reader.put(Frame(f'{{"type":"heartbeat","position":{position}}}'))

    async def _catch_up(self) -> None:
        async with self._catching_up:
            if not self.started:
                self.position = await in_database(latest_position)
                self.started = True
                return
            while True:
                rows = await in_database(
                    events_after, self.position, customer_id=None, limit=CATCH_UP_LIMIT
                )
                if rows:
                    self._deliver(
                        [(row[0], row[1], encode_event(row[2])) for row in rows], rows[-1][0]
                    )
                if len(rows) < CATCH_UP_LIMIT:
                    return

    def _deliver(self, events: list[Any], position: int) -> None:
        """Give events, which follow the hub's position, to every live reader; never waits."""
        self.position = position
        if not events:
            return
        everything = frame((event[2] for event in events), position)
        for reader in self._everything:
            self._give(reader, events, everything)
        mine: dict[int, list[Any]] = defaultdict(list)
        for event in events:
            if event[1] in self._by_customer:
                mine[event[1]].append(event)
        for customer_id, own in mine.items():
            theirs = frame((event[2] for event in own), own[-1][0])
            for reader in self._by_customer[customer_id]:
                self._give(reader, own, theirs)
        customers = {event[1] for event in events}
        for waiting in self._waiters:
            if waiting.customer_id is None or waiting.customer_id in customers:
                waiting.event.set()

    def _give(self, reader: Reader, events: list[Any], whole: Frame) -> None:
        if not reader.live or reader.position >= events[-1][0]:
            return
        if reader.position >= events[0][0]:
            # The replay has already given the first of them.
            fresh = [event for event in events if event[0] > reader.position]
            whole = frame((event[2] for event in fresh), fresh[-1][0])
        reader.position = events[-1][0]
        reader.put(whole)

    # --- readers -------------------------------------------------------------------------

    def admit(self, account: int) -> bool:
        """Count a socket of the account; return whether it may have one more."""
        if settings.QUOTA_SOCKETS and self._sockets[account] >= settings.QUOTA_SOCKETS:
            return False
        self._sockets[account] += 1
        SOCKETS.inc()
        return True

    def release(self, account: int) -> None:
        """Count a socket of the account as closed."""
        self._sockets[account] -= 1
        SOCKETS.dec()
        if not self._sockets[account]:
            del self._sockets[account]

    async def join(self, reader: Reader, after: int | None) -> None:
        """Register a reader and bring it from ``after`` (``None``: from now) to the present.

        Raises what the database raises; the reader is then to be closed by who asked.
        """
        while not self.started:
            await self._catch_up()
        self._readers.add(reader)
        if reader.everything:
            self._everything.add(reader)
        else:
            self._by_customer[reader.caller.id].add(reader)
        if after is None:
            # What was numbered before this moment, heard of or not, is the past.
            latest = await in_database(latest_position)
            reader.position = max(latest, self.position)
        else:
            reader.position = after
        scope = "all" if reader.everything else "mine"
        reader.put(Frame(f'{{"type":"hello","position":{reader.position},"scope":"{scope}"}}'))
        reader.greeted = True
        # `live` is set with nothing awaited since the comparison, so no event falls between.
        while reader.position < self.position and not reader.closing:
            end = self.position
            rows = await in_database(
                events_after,
                reader.position,
                customer_id=reader.customer_id,
                limit=CATCH_UP_LIMIT,
                until=end,
            )
            full = len(rows) == CATCH_UP_LIMIT
            if rows:
                reader.put(frame((encode_event(row[2]) for row in rows), rows[-1][0]))
            reader.position = rows[-1][0] if full else end
            await reader.drained()
        reader.live = True

    def leave(self, reader: Reader) -> None:
        """Forget a reader whose socket has closed."""
        reader.cancel()
        self._readers.discard(reader)
        self._everything.discard(reader)
        own = self._by_customer.get(reader.caller.id)
        if own is not None:
            own.discard(reader)
            if not own:
                del self._by_customer[reader.caller.id]

    def waiting(self, customer_id: int | None) -> "Waiting":
        """Return what can be waited on for the customer's (``None``: anybody's) next event."""
        return Waiting(self._waiters, customer_id)

    async def _check_credentials(self) -> None:
        """Close the sockets whose callers have lost what they were let in for."""
        while True:
            await asyncio.sleep(settings.FEED_CREDENTIALS_SECONDS)
            credentials = {reader.credential for reader in self._readers}
            if not credentials:
                continue
            callers = await in_database(callers_by_credential, credentials)
            for reader in list(self._readers):
                if reader.credential not in credentials:
                    continue
                caller = callers.get(reader.credential)
                if caller is None:
                    reader.close(CLOSE_NOT_SIGNED_IN)
                elif reader.everything and not may_see_everything(caller):
                    reader.close(CLOSE_NOT_ALLOWED)


def _with_connection(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    from django.db import connection

    try:
        return work(*args, **kwargs)
    finally:
        # The connection goes back to the pool as soon as the work is done.
        connection.close()


async def in_database(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run synchronous database work in a thread and give its connection back afterwards."""
    return await sync_to_async(_with_connection, thread_sensitive=False)(work, *args, **kwargs)


hub = Hub()
