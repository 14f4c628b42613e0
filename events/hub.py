"""The hub: one subscription to the event log for each live process, fanned out to its readers.

The hub serialises a frame once for all sockets that get the same events. It keeps a position. After
an announcement that does not follow its position, or after silence, it reads the event log. So the
hub repairs what Valkey or the relay lost, once for all readers.

The hub's own reads and the reads for clients run in separate threads, so that clients never delay
the repair. These threads also encode the events, because many events would block the event loop.
"""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings

from accounts.access import Audience, Caller, audience_of
from accounts.authentication import callers_by_credential
from events.channel import Announcement, announcements
from events.reader import (
    CLOSE_NOT_ALLOWED,
    CLOSE_NOT_SIGNED_IN,
    CLOSE_POSITION_UNKNOWN,
    CLOSE_RESTARTING,
    Frame,
    Reader,
    frame,
)
from events.recipients import Recipients, Types, Waiting
from events.representation import Encoded, encode
from events.selectors import (
    PURCHASES,
    PositionUnknown,
    events_after,
    events_page,
    latest_position,
)
from events.site_settings import QUOTA_ADDRESS_SOCKETS, QUOTA_SOCKETS
from events.teams import about_teams, numbers_of, with_stewards
from shop.core import background
from shop.core.admission import Room, account_holder, address_holder
from shop.core.errors import Unavailable
from shop.core.lookups import DatabaseThreads, SharedLookup, SharedThreads
from shop.core.metrics import SOCKETS
from shop.core.site_settings import Setting

logger = structlog.get_logger(__name__)

CATCH_UP_LIMIT = 500
SILENCE_SECONDS = 2.0
START_SECONDS = 5.0
PLACES = 50_000


class Hub:
    """Every reader of this process, and the position they have been brought to."""

    def __init__(self) -> None:
        self.position = 0
        self.draining = False
        # Sockets and long polls of one account, and of one address.
        self.sockets = _room("sockets", QUOTA_SOCKETS)
        self.polls = _room("polls", QUOTA_SOCKETS)
        self.addresses = _room("addresses", QUOTA_ADDRESS_SOCKETS)
        self._heard = 0.0
        self._recipients = Recipients()
        self._tasks: list[asyncio.Task[None]] = []
        self._catching_up = asyncio.Lock()
        self._started = asyncio.Event()
        self._own = DatabaseThreads(1, "hub")
        self._credentials = DatabaseThreads(1, "credentials")
        self._clients = SharedThreads(3, "feed")
        self._latest: SharedLookup[None, int] = SharedLookup("positions", _latest)
        self._teams: SharedLookup[int, tuple[int, ...]] = SharedLookup("teams", numbers_of)

    # --- life ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start listening and return at once; readers wait until the position is known."""
        works = (self._listen, self._watch, self._beat, self._check_credentials)
        self._tasks = [
            background.start(work, name=f"hub.{work.__name__.strip('_')}") for work in works
        ]

    def drain(self) -> None:
        """End every long poll, and let no client wait from now on."""
        self.draining = True
        self._recipients.wake()

    async def stop(self) -> None:
        """Close every socket with 1012, so that clients resume elsewhere."""
        for task in self._tasks:
            task.cancel()
        for reader in list(self._recipients.readers):
            reader.close(CLOSE_RESTARTING)
        deadline = time.monotonic() + 2
        while self._recipients.readers and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    async def _ready(self) -> None:
        """Wait until the position is known; raise ``Unavailable`` where that takes too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._started.wait()
        except TimeoutError:
            raise Unavailable() from None

    # --- events in -----------------------------------------------------------------------

    async def _listen(self) -> None:
        async for announcement in announcements():
            await self._hear(announcement)

    async def _hear(self, heard: Announcement) -> None:
        if heard["position"] < self.position:
            # A read of the log has overtaken it. After a restore the relay announces only such old
            # positions, so this does not count as a sign of life.
            return
        self._heard = time.monotonic()
        if not self._started.is_set() or heard["position"] == self.position:
            return
        async with self._catching_up:
            if heard["previous"] <= self.position < heard["position"]:
                # Without readers only the position counts, and decoding has a cost for each event.
                some = heard["events"] if self._recipients else ()
                events = [Encoded(*event) for event in some if event[0] > self.position]
                self._deliver(events, heard["position"])
                return
        await self._catch_up()

    async def _watch(self) -> None:
        """Read the log whenever the relay is silent."""
        while True:
            if not self._started.is_set() or time.monotonic() - self._heard > SILENCE_SECONDS:
                await self._catch_up()
            await asyncio.sleep(0.5)

    async def _beat(self) -> None:
        """Send heartbeats to sockets, without PostgreSQL or Valkey, which may be away."""
        while True:
            await asyncio.sleep(settings.FEED_HEARTBEAT_SECONDS)
            for reader in list(self._recipients.readers):
                if reader.greeted:
                    position = reader.position
                    if reader.live:
                        position = max(self.position, position)
                    reader.put(Frame(f'{{"type":"heartbeat","position":{position}}}'))

    async def _catch_up(self) -> None:
        async with self._catching_up:
            if not self._started.is_set():
                self.position = await self._own.run(latest_position)
                self._started.set()
                return
            while True:
                rows = await self._own.run(_heard, self.position)
                if rows:
                    self._deliver(rows, rows[-1].position)
                if len(rows) < CATCH_UP_LIMIT:
                    break
            if not rows:
                latest = await self._own.run(latest_position)
                if latest < self.position:
                    self._set_back(latest)

    def _set_back(self, latest: int) -> None:
        """Go on from an earlier position, because an older ledger was restored."""
        logger.warning("hub.set_back", position=self.position, latest=latest)
        self.position = latest
        for reader in list(self._recipients.readers):
            if reader.position > latest:
                reader.close(CLOSE_POSITION_UNKNOWN)
        self._recipients.wake()

    def _deliver(self, events: list[Encoded], position: int) -> None:
        """Give events, which follow the hub's position, to every live reader, without waiting."""
        self.position = position
        self._recipients.give(events)

    # --- readers -------------------------------------------------------------------------

    @contextmanager
    def socket(self, account: int, address: str) -> Iterator[None]:
        """Count a socket for the block; raise ``ShareUsedUp`` where there are too many."""
        with (
            self.sockets.place(account_holder(account)),
            self.addresses.place(address_holder(address)),
            SOCKETS.track_inprogress(),
        ):
            yield

    def connected(self) -> list[int]:
        """Return the accounts with an open socket here. Other threads may ask this, too."""
        return [int(holder.partition(":")[2]) for holder in self.sockets.holders()]

    @contextmanager
    def poll(self, account: int, address: str) -> Iterator[None]:
        """Count a long poll for the block; raise ``ShareUsedUp`` where there are too many."""
        with (
            self.polls.place(account_holder(account)),
            self.addresses.place(address_holder(address)),
        ):
            yield

    async def check_position(self, holder: str, position: int) -> None:
        """Raise ``PositionUnknown`` where the position was never given out.

        Another process may have sent a client a position that this hub does not know yet, so the
        hub asks the primary before it refuses one.
        """
        if position > self.position:
            latest = await self._latest.find(holder, None)
            if latest is None or position > latest:
                raise PositionUnknown()

    async def teams_of(self, caller: Caller, *, everything: bool, types: Types) -> tuple[int, ...]:
        """Return the teams whose events the caller gets, if the types are about teams.

        Raise ``Unavailable``, ``ShareUsedUp``, or the database's errors.
        """
        if everything or not about_teams(types):
            return ()
        teams = await self._teams.find(account_holder(caller.id), caller.id)
        return with_stewards(teams or (), caller.permissions)

    async def join(self, reader: Reader, after: int | None) -> None:
        """Register a reader and bring it from ``after`` (``None``: from now) to the present.

        Raise ``PositionUnknown``, ``Unavailable``, or the database's errors; the caller must then
        close the reader.
        """
        holder = account_holder(reader.caller.id)
        await self._ready()
        self._recipients.add(reader)
        if after is None:
            # Start after the newest position in the log, even if this hub does not know it yet.
            latest = await self._latest.find(holder, None)
            reader.position = max(latest or 0, self.position)
        else:
            await self.check_position(holder, after)
            reader.position = after
        scope = "all" if reader.everything else "mine"
        reader.put(Frame(f'{{"type":"hello","position":{reader.position},"scope":"{scope}"}}'))
        reader.greeted = True
        # `live` is set with nothing awaited since the comparison, so no event falls between.
        while reader.position < self.position and not reader.closing:
            end = self.position
            replay, last = await self._clients.run(
                holder,
                _replay,
                reader.position,
                audience=reader.audience,
                until=end,
                types=reader.types,
            )
            if replay is not None:
                reader.put(replay)
            reader.position = end if last is None else last
            await reader.drained()
        reader.live = True

    def leave(self, reader: Reader) -> None:
        """Forget a reader whose socket has closed."""
        reader.cancel()
        self._recipients.remove(reader)

    async def events(
        self,
        caller: Caller,
        *,
        after: int,
        limit: int,
        everything: bool,
        seconds: float,
        left: "asyncio.Future[Any]",
        types: Types = PURCHASES,
    ) -> tuple[list[str], int]:
        """Return a page of events as JSON and its position, as the REST view would.

        Wait for an event for ``seconds`` at most, and no longer than until ``left`` is done. Raise
        ``PositionUnknown``, ``Unavailable``, ``ShareUsedUp``, or the database's errors.
        """
        deadline = time.monotonic() + seconds
        holder = account_holder(caller.id)
        await self._ready()
        teams = await self.teams_of(caller, everything=everything, types=types)
        audience = audience_of(caller, everything=everything, teams=teams)
        while True:
            with self._recipients.waiting(audience, Waiting(after, types)) as waiting:
                await self.check_position(holder, after)
                if after < self.position:
                    found, waiting.after = await self._clients.run(
                        holder,
                        _page,
                        audience,
                        after=after,
                        limit=limit,
                        types=types,
                    )
                    if found:
                        return found, waiting.after
                wait = deadline - time.monotonic()
                if wait > 0 and not self.draining:
                    await asyncio.wait(
                        {waiting.woken, left}, timeout=wait, return_when=asyncio.FIRST_COMPLETED
                    )
                events = [event for event in waiting.events if event.position > waiting.after]
                events = events[:limit]
                over = self.draining or left.done() or time.monotonic() >= deadline
                if events or over:
                    full = len(events) == limit
                    position = events[-1].position if full else max(waiting.after, self.position)
                    return [event.text for event in events], position
                after = waiting.after

    async def _check_credentials(self) -> None:
        """Close the sockets whose credentials have ended or lost a permission that they need.

        Whose teams are others now comes back, and gets the events of these.
        """
        while True:
            await asyncio.sleep(settings.FEED_CREDENTIALS_SECONDS)
            credentials = {reader.credential for reader in self._recipients.readers}
            if not credentials:
                continue
            accounts = {
                reader.caller.id
                for reader in self._recipients.readers
                if not reader.everything and about_teams(reader.types)
            }
            callers = await self._credentials.run(callers_by_credential, credentials)
            teams = await self._credentials.run(numbers_of, accounts) if accounts else {}
            for reader in list(self._recipients.readers):
                if reader.credential not in credentials:
                    continue
                caller = callers.get(reader.credential)
                if caller is None:
                    reader.close(CLOSE_NOT_SIGNED_IN)
                elif not reader.may_go_on(caller):
                    reader.close(CLOSE_NOT_ALLOWED)
                elif reader.caller.id in accounts and reader.has_other_teams(
                    with_stewards(teams.get(reader.caller.id, ()), caller.permissions)
                ):
                    reader.close(CLOSE_RESTARTING)


def _room(name: str, quota: Setting[int]) -> Room:
    """Return a room for sockets or long polls; a quota of 0 sets no limit."""
    return Room(name, total=PLACES, share=lambda: quota.value or PLACES)


def _heard(position: int) -> list[Encoded]:
    """Return everybody's events after the position, ``CATCH_UP_LIMIT`` at most."""
    events = events_after(position, audience=None, limit=CATCH_UP_LIMIT, types=None)
    return [encode(event) for event in events]


def _replay(
    position: int, *, audience: Audience | None, until: int, types: Types
) -> tuple[Frame | None, int | None]:
    """Return a frame of events after the position, and where the next page begins, if any."""
    events = events_after(
        position, audience=audience, limit=CATCH_UP_LIMIT, until=until, types=types
    )
    if not events:
        return None, None
    last = events[-1].position
    replay = frame((encode(event).text for event in events), last)
    return replay, last if len(events) == CATCH_UP_LIMIT else None


def _page(audience: Audience | None, **asked: Any) -> tuple[list[str], int]:
    """Return the events of a page as JSON, and its position."""
    events, position = events_page(audience, **asked)
    return [encode(event).text for event in events], position


def _latest(keys: Collection[None]) -> dict[None, int]:
    return {None: latest_position()}


hub = Hub()
