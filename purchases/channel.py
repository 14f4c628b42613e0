"""The messages between the relay and the hubs, and the group they travel in."""

from typing import TypedDict

GROUP = "events"


class Announcement(TypedDict):
    """What the relay says on the channel layer after it has numbered events.

    ``previous`` is the position before the first of ``events``; a hub whose own position differs
    knows that it missed something. ``events`` holds ``(position, customer id, JSON)``. An
    announcement without events is the relay's heartbeat.
    """

    type: str
    previous: int
    position: int
    events: list[tuple[int, int, str]]
