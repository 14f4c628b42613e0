"""A purchase as the API, the feed and the exports show it."""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from shop.core.times import iso


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
