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
"""The relay says something every second. The layer gives a receiver no sign of a lost connection,
so a subscription that brings nothing for this long is made anew."""


class Announcement(TypedDict):
    """What the relay says after it has numbered events.

    ``previous`` is the position before the first of ``events``; a hub whose own position differs
    knows that it missed something. ``events`` are those of ``Encoded``, as lists on arrival. An
    announcement without events is the relay's heartbeat.
    """

    type: str
    previous: int
    position: int
    events: Sequence[Encoded]


async def announce(previous: int, position: int, events: Sequence[Encoded]) -> None:
    """Tell the hubs; raises what the layer raises, and ``TimeoutError`` where it takes too long."""
    announcement: Announcement = {
        "type": "events",
        "previous": previous,
        "position": position,
        "events": events,
    }
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await get_channel_layer().group_send(GROUP, announcement)


async def announcements() -> AsyncIterator[Announcement]:
    """Yield what the relay says until it is silent; raises what the layer raises.

    The layer is this iterator's alone: at the end its connections and channels go.
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
