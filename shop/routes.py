"""All paths that are answered, or prepared, before Django; see ``shop.asgi``."""

from events.routes import EVENTS
from purchases.routes import BULK, BUYS, PURCHASES
from shop.core.paths import spellings

BEFORE_DJANGO = spellings((PURCHASES, *BUYS, BULK, EVENTS))
