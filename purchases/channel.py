"""The announcements of the relay to the hubs, over a channel of Valkey."""

from collections.abc import AsyncIterator
from typing import TypedDict

import msgspec
import redis.asyncio
import structlog
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

logger = structlog.get_logger(__name__)

CHANNEL = "shop.events"
TIMEOUT_SECONDS = 2.0
# The relay says something every second, so a subscription that brings nothing for longer is made
# anew: its connection may be lost without a word.
SILENCE_SECONDS = 10.0


class Announcement(TypedDict):
    """What the relay says after it has numbered events.

    ``previous`` is the position before the first of ``events``; a hub whose own position differs
    knows that it missed something. ``events`` holds ``(position, customer id, JSON)``. An
    announcement without events is the relay's heartbeat.
    """

    previous: int
    position: int
    events: list[tuple[int, int, str]]


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Announcement).decode


def client() -> redis.asyncio.Redis:
    """Return a client of Valkey that gives up at once, so that whoever uses it can tell."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def announce(valkey: redis.asyncio.Redis, announcement: Announcement) -> None:
    """Tell the hubs; raises what the client of Valkey raises, within ``TIMEOUT_SECONDS``."""
    await valkey.publish(CHANNEL, encode(announcement))


async def announcements() -> AsyncIterator[Announcement]:
    """Yield what the relay says until the subscription is lost.

    Raises ``redis.RedisError`` where Valkey is away.
    """
    async with client() as valkey, valkey.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(CHANNEL)
        silent = 0.0
        while silent < SILENCE_SECONDS:
            message = await subscription.get_message(timeout=TIMEOUT_SECONDS)
            if message is None:
                silent += TIMEOUT_SECONDS
                continue
            silent = 0.0
            try:
                announcement = decode(message["data"])
            except msgspec.DecodeError:
                # A relay of another version says it in other words; the table says the same.
                logger.warning("hub.announcement_not_understood")
                continue
            yield announcement
