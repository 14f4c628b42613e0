"""The event types of toys."""

import msgspec

from events.types import EventType


class ToyMade(msgspec.Struct, forbid_unknown_fields=True):
    """A toy was made."""

    name: str


TOY_MADE = EventType("toy.made", 30_000, "insight", "A toy was made.", ToyMade)
EVENT_TYPES = (TOY_MADE,)
