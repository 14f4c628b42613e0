"""A queue in which holders take turns, each in its own order."""

from collections import deque
from collections.abc import Iterable
from itertools import groupby, islice
from operator import itemgetter
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of holders. A holder of thousands delays a holder of one by one item."""

    def __init__(self) -> None:
        # The first holder has the next turn.
        self._holders: dict[int, deque[Item]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, holders: Iterable[int], items: Iterable[Item]) -> None:
        """Add each item behind its holder's own."""
        for holder, group in groupby(zip(holders, items, strict=True), itemgetter(0)):
            waiting = self._holders.setdefault(holder, deque())
            before = len(waiting)
            waiting.extend(item for _, item in group)
            self._size += len(waiting) - before

    def take(self, count: int) -> list[Item]:
        """Remove the next items, ``count`` at most, and return them."""
        taken: list[Item] = []
        while self._holders and len(taken) < count:
            for holder in list(islice(self._holders, count - len(taken))):
                items = self._holders.pop(holder)
                taken.append(items.popleft())
                if items:
                    self._holders[holder] = items
        self._size -= len(taken)
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._holders.clear()
        self._size = 0
