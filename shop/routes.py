"""All paths that Django does not answer, or not alone; see ``shop.asgi``."""

from importlib import import_module
from typing import Any

from events.routes import EVENTS
from purchases.routes import BULK, BUYS, PURCHASES
from shop.core.apps import declared_urls
from shop.core.paths import spellings

websocket_urlpatterns: list[Any] = [
    pattern
    for module in declared_urls("websocket_urls")
    for pattern in import_module(module).urlpatterns
]
SOCKETS = frozenset(f"/{pattern.pattern}" for pattern in websocket_urlpatterns)
BEFORE_DJANGO = spellings((PURCHASES, *BUYS, BULK, EVENTS))
