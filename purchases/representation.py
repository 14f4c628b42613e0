"""A purchase as the outside sees it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

import msgspec


class PurchaseData(TypedDict):
    """A purchase in the API, the feed and the exports."""

    id: str
    username: str
    userid: str
    item: str
    quantity: int
    price: str
    currency: str
    total: str
    timestamp: str
    received_at: str


# The columns, in this order, that `purchase_data` takes.
PURCHASE_FIELDS = (
    "id",
    "customer__username",
    "customer__userid",
    "item",
    "quantity",
    "price",
    "currency",
    "timestamp",
    "received_at",
)


def iso(moment: datetime) -> str:
    """Return a UTC time with microseconds, as ``2024-05-31T15:54:32.204000Z``."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # A quarter of the time that ``isoformat`` takes; it leaves out microseconds that are zero.
    text: str = msgspec.to_builtins(moment)
    return text if moment.microsecond else text[:-1] + ".000000Z"


def purchase_data(
    id: UUID | str,
    username: str,
    userid: str,
    item: str,
    quantity: int,
    price: Decimal,
    currency: str,
    timestamp: datetime,
    received_at: datetime,
) -> PurchaseData:
    """Return the purchase as the API shows it; the arguments are a row of PURCHASE_FIELDS."""
    return {
        "id": str(id),
        "username": username,
        "userid": userid,
        "item": item,
        "quantity": quantity,
        "price": f"{price:.2f}",
        "currency": currency,
        "total": f"{price * quantity:.2f}",
        "timestamp": iso(timestamp),
        "received_at": iso(received_at),
    }
