"""What this process counts: its requests by minute, until they are written.

A written row has the whole value of its minute, never an increment. So a repeated write counts
once. ``enter`` and ``written`` are called by one thread; requests come from all of them, by
``shop.core.metrics.answered``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from operations.histograms import bucket_of
from shop.core.metrics import ANSWERED_MAX, answered

MINUTES_MAX = 180
"""Minutes that wait for PostgreSQL at most; of older ones only the number of requests is kept."""
HELD_UP_MINUTES = 3
ROUTE_MAX_LENGTH = 200


class Key(NamedTuple):
    """What one row counts. ``run`` grows when the clock is set back, or rows would be replaced."""

    minute: int
    run: int
    route: str
    status_class: int


@dataclass(slots=True)
class Cell:
    """Requests of one route and class of status in one minute."""

    requests: int = 0
    seconds: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """Count one request."""
        self.requests += 1
        self.seconds += seconds
        number = bucket_of(seconds)
        self.buckets[number] = self.buckets.get(number, 0) + 1


class Book:
    """The minutes that are not written yet, and the one that goes on.

    ``lived`` are the minutes in which the process is known to have lived, since the last write.
    """

    def __init__(self) -> None:
        self.minute = 0
        self.run = 0
        self.dropped = 0
        self.lived: set[int] = set()
        self._totals: dict[tuple[str, int], tuple[int, float]] = {}
        self._cells: dict[Key, Cell] = {}
        self._changed: set[Key] = set()

    def enter(self, minute: int) -> None:
        """Count everything that was answered since the last call as of this minute.

        ``minute`` is in minutes since 1970, by the database's clock.
        """
        if minute < self.minute:
            self.run += 1
        # Whoever was held up by a statement has lived meanwhile.
        held_up = self.minute < minute <= self.minute + HELD_UP_MINUTES
        self.lived.update(range(self.minute if held_up else minute, minute + 1))
        self.minute = minute
        cells: dict[tuple[str, int], Cell] = {}
        # What comes meanwhile waits for the next time.
        for _ in range(min(len(answered), ANSWERED_MAX)):
            route, status, seconds = answered.popleft()
            cell = cells.get((route, status))
            if cell is None:
                key = Key(minute, self.run, route[:ROUTE_MAX_LENGTH], status // 100)
                cell = cells[route, status] = self._cells.setdefault(key, Cell())
                self._changed.add(key)
            cell.add(seconds)
            requests, whole = self._totals.get((route, status // 100), (0, 0.0))
            self._totals[route, status // 100] = requests + 1, whole + seconds
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        kept = sorted({(key.run, key.minute) for key in self._cells})
        for gone in kept[:-MINUTES_MAX]:
            for key in [each for each in self._cells if (each.run, each.minute) == gone]:
                cell = self._cells.pop(key)
                if key in self._changed:
                    self._changed.discard(key)
                    self.dropped += cell.requests
        self.lived = set(sorted(self.lived)[-MINUTES_MAX:])

    def totals(self) -> list[tuple[str, int, int, float]]:
        """Return route, class of status, requests and seconds since the process began."""
        return [(*key, *counted) for key, counted in sorted(self._totals.items())]

    def unwritten(self) -> list[dict[str, Any]]:
        """Return the rows whose values have changed, in the order of their keys."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        for key in sorted(self._changed):
            cell = self._cells[key]
            numbers = sorted(cell.buckets)
            yield {
                **key._asdict(),
                "requests": cell.requests,
                "seconds": cell.seconds,
                "numbers": numbers,
                "counts": [cell.buckets[number] for number in numbers],
            }

    def written(self) -> None:
        """Forget what ``unwritten`` has returned, except that the present minute goes on."""
        self._changed.clear()
        self.lived.clear()
        present = (self.run, self.minute)
        self._cells = {
            key: cell for key, cell in self._cells.items() if (key.run, key.minute) == present
        }


book = Book()
