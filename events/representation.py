"""An event as the outside sees it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from events.models import PURCHASE_RECORDED
from events.types import numbered

EventData = Mapping[str, Any]


class Row(NamedTuple):
    """A row of the log."""

    position: int
    key: UUID
    type: int
    customer_id: int | None
    payload: Any
    at: datetime


class Numbered(NamedTuple):
    """An event of the log: whose it is, its type's number, and what the API shows."""

    position: int
    customer_id: int | None
    type: int
    data: EventData


class Encoded(NamedTuple):
    """The same as JSON, as it is put into frames and announced from process to process.

    ``type`` comes last: the relay of the version before, which knows one type, leaves it out, and
    its hub does not look there.
    """

    position: int
    customer_id: int | None
    text: str
    type: int = PURCHASE_RECORDED


def present(rows: Iterable[Row]) -> list[Numbered]:
    """Return the events of the rows, in their order, with the data that their types load."""
    rows = list(rows)
    keys: defaultdict[int, list[UUID]] = defaultdict(list)
    for row in rows:
        keys[row.type].append(row.key)
    loaded = {type: numbered(type).load(some) for type, some in keys.items()}
    return [
        Numbered(
            row.position,
            row.customer_id,
            row.type,
            {
                "position": row.position,
                "event": numbered(row.type).name,
                **loaded[row.type][row.key],
            },
        )
        for row in rows
    ]


def encode(event: Numbered) -> Encoded:
    """Return the event as compact JSON."""
    text = msgspec.json.encode(event.data).decode()
    return Encoded(event.position, event.customer_id, text, event.type)
