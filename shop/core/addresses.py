"""Where a request comes from, when proxies stand in front.

Whoever connects may write any ``X-Forwarded-For``. It is believed only where a proxy that
``TRUSTED_PROXIES`` names has sent it, and only as far back as such proxies have written it.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings

from shop.core.env import Network

HOPS_MAX = 20
"""How many entries of ``X-Forwarded-For`` are looked at; nobody has so many proxies."""

Header = tuple[bytes, bytes]


def client_address(headers: Iterable[Header], peer: str) -> str:
    """Return the address that a request comes from, an IP address as text.

    ``headers`` are those of an ASGI scope, ``peer`` is the address at the other end of the
    connection. That is the answer too where no trusted proxy says another.
    """
    return _origin(headers, peer)[0]


def forwarded(scope: Any) -> Any:
    """Return an ASGI scope with the ``client`` and the ``scheme`` that the client itself sees.

    What no trusted proxy says is left out, so that nothing behind this takes it for true.
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
        # Each proxy adds to both headers or replaces both; then the places correspond.
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
    # The last entry was written by the proxy that called us, the one before by the proxy before.
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
    # Only the end was written by proxies; whatever a client put before it is not even split.
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
