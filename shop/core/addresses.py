"""The client's address, when proxies stand in front of the site.

Any client can write an ``X-Forwarded-For``. The header counts only as far as proxies that
``TRUSTED_PROXIES`` names have written it.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings

from shop.core.env import Network

HOPS_MAX = 20
"""The most entries of ``X-Forwarded-For`` that are read; no site has so many proxies."""

Header = tuple[bytes, bytes]


def client_address(headers: Iterable[Header], peer: str) -> str:
    """Return the address of the client as text.

    ``headers`` are those of an ASGI scope. ``peer`` is the address at the other end of the
    connection, which is the answer if no trusted proxy names another.
    """
    return _origin(headers, peer)[0]


def forwarded(scope: Any) -> Any:
    """Return an ASGI scope with the ``client`` and the ``scheme`` that the client itself sees.

    ``X-Forwarded-*`` headers that no trusted proxy has written are left out, so that no later code
    believes them.
    """
    peer = (scope.get("client") or ("", 0))[0]
    headers = scope["headers"]
    address, hops = _origin(headers, peer)
    scope = scope | {
        "headers": [header for header in headers if header[0] not in _FORWARDED],
        "client": (address, 0 if hops else (scope.get("client") or ("", 0))[1]),
    }
    schemes = _entries(headers, b"x-forwarded-proto") if hops or is_trusted(peer) else []
    if schemes:
        # Each proxy adds to both headers or replaces both, so their entries correspond.
        scheme = schemes[-min(max(hops, 1), len(schemes))].lower()
        if scheme in ("http", "https"):
            secure = scheme == "https"
            is_socket = scope["type"] == "websocket"
            scope["scheme"] = ("wss" if secure else "ws") if is_socket else scheme
    return scope


_FORWARDED = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
)


def _origin(headers: Iterable[Header], peer: str) -> tuple[str, int]:
    """Return the client's address, and how many entries of ``X-Forwarded-For`` lead to it."""
    # A socket for both versions of IP writes 192.0.2.1 as ::ffff:192.0.2.1.
    address, hops = _parsed(peer) or peer, 0
    if not is_trusted(peer):
        return address, hops
    # The last entry is from the proxy that called us, the entry before it from the proxy before.
    for entry in reversed(_entries(headers, b"x-forwarded-for")):
        parsed = _parsed(entry)
        if parsed is None:
            break
        address, hops = parsed, hops + 1
        if not is_trusted(address):
            break
    return address, hops


def _entries(headers: Iterable[Header], name: bytes) -> list[str]:
    values = b",".join(value for key, value in headers if key == name)
    # Only the end is from proxies. A client may have put anything before it, so that is not even
    # split.
    entries = map(str.strip, values.decode("latin-1").rsplit(",", HOPS_MAX))
    return [entry for entry in entries if entry]


def _parsed(entry: str) -> str | None:
    """Return an entry as an address, without the port that some proxies add."""
    text = entry.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def is_trusted(address: str) -> bool:
    """Return whether a proxy at the address is believed."""
    return _is_in(address, settings.TRUSTED_PROXIES)


@lru_cache(maxsize=1024)
def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(
        ipaddress.ip_address(parsed) in network for network in networks
    )
