"""An event as API, feed and announcements show it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from accounts.models import User
from events.models import PURCHASE_RECORDED
from events.types import numbered
from shop.core.times import iso

EventData = Mapping[str, Any]


class Row(NamedTuple):
    """A row of the log."""

    position: int
    key: UUID
    type: int
    customer_id: int | None
    recorder_id: int | None
    payload: Any
    at: datetime


class Numbered(NamedTuple):
    """An event of the log: its customer, its recorder, its type's number, and its API data."""

    position: int
    customer_id: int | None
    recorder_id: int | None
    type: int
    data: EventData


class Encoded(NamedTuple):
    """An event as JSON, for frames and for announcements between processes.

    The previous version's relay leaves out the last fields, because it knows one type and no
    recorder. Its hub ignores them.
    """

    position: int
    customer_id: int | None
    text: str
    type: int = PURCHASE_RECORDED
    recorder_id: int | None = None


def present(rows: Iterable[Row]) -> list[Numbered]:
    """Return the events of the rows, in their order, with the data that their types load.

    An event whose type only another version of the shop declares has no data; no client can ask for
    it here.
    """
    rows = list(rows)
    by_type: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_type[row.type].append(row)
    said: dict[UUID, EventData] = {}
    names: dict[int, str] = {}
    for number, some in by_type.items():
        type = numbered(number)
        if type is None:
            continue
        names[number] = type.name
        said |= type.load([row.key for row in some]) if type.load else _stored(some)
    return [
        Numbered(
            row.position,
            row.customer_id,
            row.recorder_id,
            row.type,
            {"position": row.position, "event": names[row.type], **said[row.key]}
            if row.type in names
            else {"position": row.position},
        )
        for row in rows
    ]


def _stored(rows: Iterable[Row]) -> dict[UUID, EventData]:
    """Return the data of events that store them in their payload."""
    customers = {row.customer_id for row in rows if row.customer_id is not None}
    userids: dict[int | None, str] = {}
    if customers:
        userids |= User.objects.filter(pk__in=customers).values_list("pk", "userid")
    return {
        row.key: {
            "at": iso(row.at),
            "customer": userids.get(row.customer_id),
            "data": row.payload,
        }
        for row in rows
    }


def encode(event: Numbered) -> Encoded:
    """Return the event as compact JSON."""
    text = msgspec.json.encode(event.data).decode()
    return Encoded(event.position, event.customer_id, text, event.type, event.recorder_id)
