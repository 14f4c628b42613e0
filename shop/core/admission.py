"""Admission: work that takes long has a bounded room, which its holders share fairly.

A ``Room`` holds places or bytes. Each *holder* may have its share of them at once, so no account
and no address takes everything. A room may let holders wait, each in its own line, for a bounded
time. The next place goes to the holder with the least in the room; among equals, to the holder that
was let in longest ago.

A holder is ``account:<id>`` for a signed-in caller, else ``address:<network>``. The ASGI gate puts
it into ``scope["shop.holder"]``. A room belongs to the event loop, so threads must not touch it.
"""

import asyncio
import contextlib
import ipaddress
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from django.utils.translation import gettext_noop

from shop.core.errors import ApplicationError, Unavailable
from shop.core.metrics import ADMITTED, REFUSED


class ShareUsedUp(ApplicationError):
    """The account or address has its whole share under way; others are served."""

    status = 429
    code = "throttled"
    detail = gettext_noop(
        "Too much is under way for you already. Try again when some of it has ended."
    )
    retry_after = 5


def account_holder(account: int) -> str:
    """Return the holder of an account, by its id."""
    return f"account:{account}"


def address_holder(address: str) -> str:
    """Return the holder of all clients at a network address."""
    return f"address:{network_of(address)}"


def network_of(address: str) -> str:
    """Return the address, or for IPv6 its /64 network, because one subscriber has a /64.

    An IPv4 address that is written as IPv6 becomes the IPv4 address. Text that is no address
    becomes ``unknown``.
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
    """A bounded amount that holders share.

    ``total`` is the whole amount, ``share`` what one holder may have at once, or a callable that
    returns it. ``waiting`` is how
    many may wait for a place, and ``waiting_share`` how many of them one holder may be. Each waits
    at most ``seconds``; with 0 nobody waits.
    """

    def __init__(
        self,
        name: str,
        *,
        total: int,
        share: int | Callable[[], int],
        waiting: int = 0,
        waiting_share: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.total = total
        self._share = share
        self.waiting = waiting
        self.waiting_share = waiting_share
        self.seconds = seconds
        self.used = 0
        self._held: Counter[str] = Counter()
        # In the order in which holders were last let in.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._in_line = 0

    @property
    def share(self) -> int:
        """Return what one holder may have at once."""
        return self._share() if callable(self._share) else self._share

    def held_by(self, holder: str) -> int:
        """Return the amount that the holder has now."""
        return self._held[holder]

    def holders(self) -> list[str]:
        """Return who has something now. Other threads may ask this, too."""
        return list(self._held)

    def take(self, holder: str, amount: int = 1) -> None:
        """Give the holder ``amount`` at once.

        Raise ``ShareUsedUp`` if that exceeds its share, and ``Unavailable`` if the room has no
        more. Then nothing was taken.
        """
        if self.used + amount > self.total:
            self._refuse("total")
            raise Unavailable()
        if self._held[holder] + amount > self.share:
            self._refuse("share")
            raise ShareUsedUp()
        self._give(holder, amount)

    def give_back(self, holder: str, amount: int = 1) -> None:
        """Take ``amount`` back from the holder, and let in those who wait for it."""
        self._held[holder] -= amount
        if self._held[holder] <= 0:
            del self._held[holder]
        self.used -= amount
        ADMITTED.labels(self.name).set(self.used)
        self._let_in()

    @contextmanager
    def place(self, holder: str, amount: int = 1) -> Iterator[None]:
        """Hold ``amount`` during the block. Raise as ``take`` does."""
        self.take(holder, amount)
        try:
            yield
        finally:
            self.give_back(holder, amount)

    @asynccontextmanager
    async def entered(self, holder: str) -> AsyncIterator[None]:
        """Hold one place during the block, after waiting for it if necessary.

        Raise ``ShareUsedUp`` if too many of the holder already wait. Raise ``Unavailable`` if too
        many wait in all, or if the time is over.
        """
        await self.enter(holder)
        try:
            yield
        finally:
            self.give_back(holder)

    async def enter(self, holder: str, *, seconds: float | None = None) -> None:
        """Give the holder one place, after waiting at most ``seconds`` for it.

        ``None`` waits as long as the room allows. Raise as ``entered`` does. The caller must call
        ``give_back``.
        """
        # While a place is free, every waiting holder has its share, so nobody is overtaken.
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
        """Tell every waiting holder that it will get no place."""
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
        """Give free places to waiting holders, first to the holder with the least."""
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
    """What one request has taken from a room of bytes; everything is given back at its end.

    It is a context manager: ``with Tab(room, holder) as tab: tab.add(len(part))``.
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
        """Take more. Raise as ``Room.take`` does."""
        if amount:
            self._room.take(self._holder, amount)
            self._amount += amount

    def clear(self) -> None:
        """Give everything back."""
        if self._amount:
            self._room.give_back(self._holder, self._amount)
            self._amount = 0
