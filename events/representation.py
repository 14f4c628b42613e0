"""An event as the outside sees it."""

from typing import TypedDict

import msgspec

from purchases.representation import PurchaseData


class EventData(TypedDict):
    """One entry of the event log."""

    position: int
    event: str
    at: str
    purchase: PurchaseData


PURCHASE_RECORDED = "purchase.recorded"


def event_data(position: int, purchase: PurchaseData) -> EventData:
    """Return the event "this purchase was recorded"."""
    return {
        "position": position,
        "event": PURCHASE_RECORDED,
        "at": purchase["received_at"],
        "purchase": purchase,
    }


def encode_event(event: EventData) -> str:
    """Return the event as compact JSON, as it is put into a frame."""
    return msgspec.json.encode(event).decode()
