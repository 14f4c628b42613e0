"""Who gets which events of this process: its sockets and its waiting long polls, by audience."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.access import Audience, audiences_of
from events.reader import Frame, Reader, frame
from events.representation import Encoded

# Numbers of the types of events that a reader wants; ``None`` is every type.
Types = frozenset[int] | None
_ByTypes = defaultdict[Types, set[Reader]]


class Waiting:
    """A long poll that waits for its next event.

    It is made before the hub reads the log, or it would miss an event in between. ``events`` are
    those after ``after`` that the relay has announced since.
    """

    def __init__(self, after: int, types: Types) -> None:
        self.after = after
        self.types = types
        self.events: list[Encoded] = []
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give(self, events: list[Encoded]) -> None:
        """Keep the wanted events after ``after``, and wake the poll if there are any."""
        fresh = [event for event in _of_types(events, self.types) if event.position > self.after]
        if fresh:
            self.events += fresh
            self.wake()

    def wake(self) -> None:
        """End the waiting."""
        if not self.woken.done():
            self.woken.set_result(None)


class Recipients:
    """Readers and waiting long polls, found by the events that they get."""

    def __init__(self) -> None:
        self.readers: set[Reader] = set()
        # Readers by audience and types; ``None`` is everybody's events, or every type.
        self._readers: defaultdict[Audience | None, _ByTypes] = defaultdict(
            lambda: defaultdict(set)
        )
        self._waiting: defaultdict[Audience | None, set[Waiting]] = defaultdict(set)
        # The audiences with teams of those who read or wait, by each of their parts.
        self._wider: defaultdict[Audience, set[Audience]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self._readers or self._waiting)

    def add(self, reader: Reader) -> None:
        """Let a reader get its events, once it is live."""
        self.readers.add(reader)
        self._readers[reader.audience][reader.types].add(reader)
        self._widen(reader.audience)

    def remove(self, reader: Reader) -> None:
        """Forget a reader."""
        self.readers.discard(reader)
        by_types = self._readers[reader.audience]
        by_types[reader.types].discard(reader)
        if not by_types[reader.types]:
            del by_types[reader.types]
        if not by_types:
            del self._readers[reader.audience]
            self._narrow(reader.audience)

    @contextmanager
    def waiting(self, audience: Audience | None, poll: Waiting) -> Iterator[Waiting]:
        """Give a long poll its events for the block."""
        self._waiting[audience].add(poll)
        self._widen(audience)
        try:
            yield poll
        finally:
            self._waiting[audience].discard(poll)
            if not self._waiting[audience]:
                del self._waiting[audience]
                self._narrow(audience)

    def wake(self) -> None:
        """End the waiting of every long poll."""
        for poll in [each for some in self._waiting.values() for each in some]:
            poll.wake()

    def give(self, events: list[Encoded]) -> None:
        """Give events, in their order, to everybody who gets them, without waiting."""
        if not events:
            return
        self._give(None, events)
        mine: dict[Audience, list[Encoded]] = defaultdict(list)
        for event in events:
            for audience in audiences_of(event.customer_id, event.recorder_id):
                if audience in self._readers or audience in self._waiting:
                    mine[audience].append(event)
                for wider in self._wider.get(audience, ()):
                    mine[wider].append(event)
        for audience, own in mine.items():
            self._give(audience, own)

    def _give(self, audience: Audience | None, events: list[Encoded]) -> None:
        """Give events to one audience: those who get one customer's, or everybody's."""
        for types, readers in self._readers.get(audience, {}).items():
            if wanted := _of_types(events, types):
                whole = frame((event.text for event in wanted), wanted[-1].position)
                for reader in readers:
                    _put(reader, wanted, whole)
        for poll in self._waiting.get(audience, ()):
            poll.give(events)

    def _widen(self, audience: Audience | None) -> None:
        """Note the parts of an audience that somebody is in."""
        if audience is not None and audience.teams:
            for part in audience.parts:
                self._wider[part].add(audience)

    def _narrow(self, audience: Audience | None) -> None:
        """Forget the parts of an audience, if nobody is left in it."""
        if audience is None or not audience.teams:
            return
        if audience not in self._readers and audience not in self._waiting:
            for part in audience.parts:
                self._wider[part].discard(audience)
                if not self._wider[part]:
                    del self._wider[part]


def _put(reader: Reader, events: list[Encoded], whole: Frame) -> None:
    """Give a live reader the events that it does not have yet; ``whole`` is a frame of all."""
    if not reader.live or reader.position >= events[-1].position:
        return
    if reader.position >= events[0].position:
        # The replay has already sent the first of them.
        fresh = [event for event in events if event.position > reader.position]
        whole = frame((event.text for event in fresh), fresh[-1].position)
    reader.position = events[-1].position
    reader.put(whole)


def _of_types(events: list[Encoded], types: Types) -> list[Encoded]:
    """Return the events that have one of the types."""
    return events if types is None else [event for event in events if event.type in types]
