"""Admission: whatever takes long has a bounded room, which those who ask share fairly.

A :class:`Room` holds places or bytes. Each *holder* may have its share of them at once, so that one
account or one address never takes everything. Where a room lets its holders wait, they wait a
bounded time in a line of their own; the holder with the least in the room is let in first, and of
several the one whose turn is the longest ago.

A holder is ``account:<id>`` for who is signed in, else ``address:<network>``. The ASGI gate puts it
into ``scope["shop.holder"]``. A room belongs to the event loop; threads do not touch it.
"""

import asyncio
import contextlib
import ipaddress
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shop.core.errors import ApplicationError, Unavailable
from shop.core.metrics import ADMITTED, REFUSED


class ShareUsedUp(ApplicationError):
    """The account or address has as much of this under way as it may; others are served."""

    status = 429
    code = "throttled"
    detail = "Too much is under way for you already. Try again when some of it has ended."
    retry_after = 5


def account_holder(account: int) -> str:
    """Return the holder that stands for an account, by its id."""
    return f"account:{account}"


def address_holder(address: str) -> str:
    """Return the holder that stands for everybody at a network address."""
    return f"address:{network_of(address)}"


def network_of(address: str) -> str:
    """Return the address, or for IPv6 the /64 network, which is what one subscriber has.

    An IPv4 address that is written as IPv6 is the IPv4 address. What is no address is ``unknown``.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


class Room:
    """A bounded amount of something, shared among holders.

    ``total`` is what there is, ``share`` what one holder may have at once. ``waiting`` is how many
    may wait for a place, ``waiting_share`` how many of those one holder may be, and ``seconds`` how
    long each of them waits at most; with 0 nobody waits.
    """

    def __init__(
        self,
        name: str,
        *,
        total: int,
        share: int,
        waiting: int = 0,
        waiting_share: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.total = total
        self.share = share
        self.waiting = waiting
        self.waiting_share = waiting_share
        self.seconds = seconds
        self.used = 0
        self._held: Counter[str] = Counter()
        # In the order in which their holders were last let in from here.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._in_line = 0

    def held_by(self, holder: str) -> int:
        """Return how much the holder has now."""
        return self._held[holder]

    def take(self, holder: str, amount: int = 1) -> None:
        """Give the holder ``amount`` at once.

        Raises ``ShareUsedUp`` where that is more than its share, and ``Unavailable`` where the room
        has no more for anybody. Nothing was taken then.
        """
        if self.used + amount > self.total:
            self._refuse("total")
            raise Unavailable()
        if self._held[holder] + amount > self.share:
            self._refuse("share")
            raise ShareUsedUp()
        self._give(holder, amount)

    def give_back(self, holder: str, amount: int = 1) -> None:
        """Take back what the holder has no more use for, and let in who waits for it."""
        self._held[holder] -= amount
        if self._held[holder] <= 0:
            del self._held[holder]
        self.used -= amount
        ADMITTED.labels(self.name).set(self.used)
        self._let_in()

    @contextmanager
    def place(self, holder: str, amount: int = 1) -> Iterator[None]:
        """Hold ``amount`` for the block; raise as :meth:`take` does."""
        self.take(holder, amount)
        try:
            yield
        finally:
            self.give_back(holder, amount)

    @asynccontextmanager
    async def entered(self, holder: str) -> AsyncIterator[None]:
        """Hold one place for the block, after waiting for it if need be.

        Raises ``ShareUsedUp`` where too many of the holder wait already, and ``Unavailable`` where
        too many wait at all or the time is over.
        """
        await self.enter(holder)
        try:
            yield
        finally:
            self.give_back(holder)

    async def enter(self, holder: str, *, seconds: float | None = None) -> None:
        """Give the holder one place, after waiting ``seconds`` for it if need be.

        Without ``seconds`` it waits as long as the room lets it; raises as :meth:`entered` does.
        Who enters calls :meth:`give_back`.
        """
        # While there is a free place, all who wait have their share, so nobody is overtaken.
        if self._fits(holder):
            self._give(holder, 1)
            return
        if seconds == 0.0:
            self._refuse("total")
            raise Unavailable()
        line = self._lines.get(holder)
        if line is not None and len(line) >= self.waiting_share:
            self._refuse("share")
            raise ShareUsedUp()
        if self._in_line >= self.waiting:
            self._refuse("total")
            raise Unavailable()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(holder, deque()).append(turn)
        self._in_line += 1
        try:
            async with asyncio.timeout(self.seconds if seconds is None else seconds):
                await asyncio.shield(turn)
        except BaseException as error:
            if not turn.done():
                self._leave_line(holder, turn)
            elif turn.exception() is None:
                self.give_back(holder)
            if isinstance(error, TimeoutError):
                self._refuse("time")
                raise Unavailable() from None
            raise

    def turn_away(self) -> None:
        """Tell all who wait here that there will be no place for them."""
        for holder, line in list(self._lines.items()):
            for turn in list(line):
                self._leave_line(holder, turn)
                self._refuse("total")
                turn.set_exception(Unavailable())

    def _fits(self, holder: str) -> bool:
        return self.used < self.total and self._held[holder] < self.share

    def _give(self, holder: str, amount: int) -> None:
        self._held[holder] += amount
        self.used += amount
        ADMITTED.labels(self.name).set(self.used)

    def _let_in(self) -> None:
        """Give free places to those who wait, first to the holder that has the least."""
        while self._in_line and self.used < self.total:
            ready = [holder for holder in self._lines if self._held[holder] < self.share]
            if not ready:
                return
            # `min` takes the first of equals, and the holder that was let in last is at the end.
            holder = min(ready, key=self._held.__getitem__)
            turn = self._lines[holder][0]
            self._leave_line(holder, turn)
            if holder in self._lines:
                self._lines[holder] = self._lines.pop(holder)
            self._give(holder, 1)
            turn.set_result(None)

    def _leave_line(self, holder: str, turn: asyncio.Future[None]) -> None:
        line = self._lines[holder]
        with contextlib.suppress(ValueError):
            line.remove(turn)
            self._in_line -= 1
        if not line:
            del self._lines[holder]

    def _refuse(self, why: str) -> None:
        REFUSED.labels(self.name, why).inc()


class Tab:
    """What one request has taken from a room of bytes so far; all of it is given back at the end.

    Used as a context manager: ``with Tab(room, holder) as tab: tab.add(len(part))``.
    """

    def __init__(self, room: Room, holder: str) -> None:
        self._room = room
        self._holder = holder
        self._amount = 0

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()

    def add(self, amount: int) -> None:
        """Take more; raise as :meth:`Room.take` does."""
        if amount:
            self._room.take(self._holder, amount)
            self._amount += amount

    def clear(self) -> None:
        """Give everything back."""
        if self._amount:
            self._room.give_back(self._holder, self._amount)
            self._amount = 0
