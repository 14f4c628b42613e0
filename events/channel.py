"""The announcements of the relay to the hubs, over the channel layer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypedDict

from channels.layers import get_channel_layer

from events.representation import Encoded

GROUP = "events"
TIMEOUT_SECONDS = 2.0
SILENCE_SECONDS = 10.0
"""How long a hub waits for an announcement before it renews its subscription.

The relay announces something every second, and the channel layer does not report a lost connection.
"""


class Announcement(TypedDict):
    """The relay's announcement of events that it has numbered.

    ``previous`` is the position before the first of ``events``; a hub whose own position differs
    has missed something. ``events`` are ``Encoded``, which arrive as lists. An announcement without
    events is the relay's heartbeat.
    """

    type: str
    previous: int
    position: int
    events: Sequence[Encoded]


async def announce(previous: int, position: int, events: Sequence[Encoded]) -> None:
    """Tell the hubs; raise the layer's errors, and ``TimeoutError`` where it takes too long."""
    announcement: Announcement = {
        "type": "events",
        "previous": previous,
        "position": position,
        "events": events,
    }
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await get_channel_layer().group_send(GROUP, announcement)


async def announcements() -> AsyncIterator[Announcement]:
    """Yield the relay's announcements until it is silent; raise the layer's errors.

    The iterator has a layer of its own, and closes its connections and channels at the end.
    """
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
        while True:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await layer.receive(channel)
            yield message
    except TimeoutError:
        return
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await layer.flush()
