"""Answers that take long: the export, and the wait for new lines. Neither holds a thread."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from logs.lines import Found, Place, reading, run, walk
from logs.search import Search
from shop.core import pace
from shop.core.admission import Room

EXPORT_LINES = 1_000
EXPORT_MAX = 1_000_000
TAIL_LINES = 500
FIRST_LINES = 50
"""So many lines begin a tail."""
SETTLED = timedelta(seconds=3)
"""A tail shows lines of this age, because no process brings one that is older."""
ASK_SECONDS = 1.0
_FOR_EVER = 1e9

tails = Room("log_tails", total=64, share=8)
_looks = asyncio.Semaphore(4)
"""How many tails look at once, because each look needs a connection."""


@dataclass(frozen=True, slots=True)
class Export:
    """All lines of a search as JSON lines, the newest first."""

    holder: str
    search: Search

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        place: Place | None = None
        async with reading() as reader:
            for _ in range(EXPORT_MAX // EXPORT_LINES):
                began = time.monotonic()
                found = await reader.run(self._next(place))
                block = _json_lines(found)
                await pace.rested(time.monotonic() - began, self.holder)
                yield block
                place = found.end
                if place is None:
                    break

    def blocks_here(self) -> Iterator[bytes]:
        place: Place | None = None
        for _ in range(EXPORT_MAX // EXPORT_LINES):
            found = run(self._next(place))
            yield _json_lines(found)
            place = found.end
            if place is None:
                return

    def _next(self, place: Place | None) -> Any:
        return walk(self.search, EXPORT_LINES, after=place, seconds=_FOR_EVER)


@dataclass(frozen=True, slots=True)
class Tail:
    """The lines after a place, the oldest first; the last ones if there is no place.

    It waits until there is one, for so many seconds at most.
    """

    holder: str
    search: Search
    after: Place | None
    wait: float

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        ends = asyncio.get_running_loop().time() + self.wait
        while True:
            until = _settled()
            # Between two looks it holds no connection, because many may wait.
            async with _looks, reading() as reader:
                found = await reader.run(self._steps(until))
            left = ends - asyncio.get_running_loop().time()
            if found.lines or self.after is None or left <= 0:
                yield self._body(found, until)
                return
            await asyncio.sleep(min(ASK_SECONDS, left))

    def blocks_here(self) -> Iterator[bytes]:
        until = _settled()
        yield self._body(run(self._steps(until)), until)

    def _steps(self, until: datetime) -> Any:
        if self.after is None:
            return walk(replace(self.search, until=until), FIRST_LINES)
        search = replace(self.search, since=self.after[0], until=until)
        return walk(search, TAIL_LINES, after=self.after, upwards=True)

    def _body(self, found: Found, until: datetime) -> bytes:
        lines = found.lines if self.after is not None else found.lines[::-1]
        if self.after is not None and found.end is not None:
            place = found.end
        else:
            # All that is settled was looked at, so the next look begins there.
            place = max(self.after or (until, LAST), (until, LAST))
        data = {"results": [line.as_data() for line in lines], "after": cursor_of(place)}
        return json.dumps(data, ensure_ascii=False).encode()


LAST = UUID(int=(1 << 128) - 1)


def _settled() -> datetime:
    return datetime.now(UTC) - SETTLED


def cursor_of(place: Place) -> str:
    """Return the text of a place, for ``after``."""
    return f"{int(place[0].timestamp() * 1_000_000)}-{place[1].hex}"


def place_of(text: str) -> Place:
    """Return the place that ``cursor_of`` told. Raise ``ValueError`` for any other text."""
    moment, _, id = text.partition("-")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 17 and len(id) == 32):
        raise ValueError(text)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))
    return at, UUID(id)


def _json_lines(found: Found) -> bytes:
    lines = (json.dumps(line.as_data(), ensure_ascii=False) for line in found.lines)
    return "".join(f"{line}\n" for line in lines).encode()
