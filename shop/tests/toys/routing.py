from typing import Any, cast

from django.urls import path


async def rattle(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and say nothing."""
    await receive()
    await send({"type": "websocket.accept"})


urlpatterns = [path("ws/toys/", cast(Any, rattle))]
