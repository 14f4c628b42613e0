"""Two other ways to send events to many sockets, for comparison with the hub.

``channels_application`` is the usual one: a Channels consumer for each socket, which joins a group.
``bare_application`` has no Channels at all: a set of sockets and one Redis subscription.
"""

import asyncio
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

import redis.asyncio  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from django.conf import settings  # noqa: E402

LAYER = {"hosts": [{"address": settings.REDIS_URL, "socket_connect_timeout": 2}], "prefix": "shop"}
settings.CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": LAYER}
}
GROUP = "bench.everyone"
CHANNEL = "bench.bare"
HELLO = '{"type":"hello","position":0,"scope":"all"}'


class Consumer(AsyncWebsocketConsumer):
    """One socket, which joins the group and forwards its messages."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        await self.send(text_data=HELLO)

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def bench_event(self, message: dict[str, Any]) -> None:
        """Forward one event."""
        await self.send(text_data=message["text"])


_consumer: Any = Consumer.as_asgi()


async def channels_application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection with Channels."""
    if scope["type"] == "websocket":
        await _consumer(scope, receive, send)
    elif scope["type"] == "http":
        await _alive(send)


_sockets: set[Any] = set()


async def bare_application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection without Channels."""
    if scope["type"] == "lifespan":
        await receive()
        task = asyncio.create_task(_listen())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        task.cancel()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await _alive(send)
    else:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": HELLO})
        _sockets.add(send)
        try:
            while (await receive())["type"] != "websocket.disconnect":
                continue
        finally:
            _sockets.discard(send)


async def _listen() -> None:
    async with redis.asyncio.from_url(settings.REDIS_URL).pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        async for message in subscription.listen():
            if message["type"] == "message":
                text = message["data"].decode()
                for send in list(_sockets):
                    await send({"type": "websocket.send", "text": text})


async def _alive(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
