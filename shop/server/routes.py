"""Paths that are answered, or prepared, before Django sees the request.

A leaf module, so that the HTTP protocol, the ASGI application and the URL configurations agree.
"""

from collections.abc import Iterable

CLASSIC_PREFIX = "/scalable-shop-cm-server"

PURCHASES = "/api/v1/purchases/"
BUYS = ("/buy", f"{CLASSIC_PREFIX}/buy")
BULK = "/api/v1/purchases/bulk/"
EVENTS = "/api/v1/events/"


def other_spelling(path: str) -> str:
    """Return the path without its trailing slash, or with one if it has none."""
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def spellings(paths: Iterable[str]) -> dict[str, str]:
    """Return the path as it is written here for both of its spellings."""
    return {spelling: path for path in paths for spelling in (path, other_spelling(path))}


def purchase_path(id: str) -> str:
    """Return the address of a purchase."""
    return f"{PURCHASES}{id}/"


BEFORE_DJANGO = spellings((PURCHASES, *BUYS, BULK, EVENTS))
