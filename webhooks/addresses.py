"""Where a webhook may lead: to public addresses, and to the networks in ``WEBHOOK_ALLOW``.

The name of a receiver is looked up for each request, and the connection goes to an address that was
checked. So a name that leads elsewhere at a second look-up gains nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookupTimeout
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop

from shop.core.errors import ApplicationError
from webhooks.models import URL_MAX_LENGTH

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_URL = re.compile(r"https?://[!-~]+", re.ASCII | re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]+", re.ASCII)
# Names of these kinds are never public.
_INSIDE = re.compile(
    r"(?:[^.]+|.*\.(?:localhost|local|localdomain|internal|intranet|lan|home|corp|arpa))", re.ASCII
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
# Special networks that Python takes for public ones: of protocols, one of which some clouds give
# their metadata at, of relays, of documentation and of routers; and where Azure has its services.
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16", "168.63.129.16/32"),
    )
)
LOOK_UP_SECONDS = 2
_lookups = ThreadPoolExecutor(4, "webhooks.lookup")


class URLNotAllowed(ApplicationError):
    """No webhook may lead there."""

    status = 400
    code = "url_not_allowed"
    detail = gettext_noop("No webhook may lead to this address.")
    attr = "url"


class NotPublic(Exception):
    """A name leads to an address that no webhook may reach."""


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a webhook's URL. ``host`` is a name, or a literal address without brackets."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse(url: str) -> Target:
    """Return the parts of a URL. Raise ``URLNotAllowed`` for one that is malformed."""
    if len(url) > URL_MAX_LENGTH or not _URL.fullmatch(url) or "\\" in url:
        raise URLNotAllowed("Give an address such as https://example.com/events, in ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise URLNotAllowed("Give an address such as https://example.com/events.") from None
    host = (parts.hostname or "").removesuffix(".")
    if not _HOST.fullmatch(host):
        raise URLNotAllowed("The address has no host that can be looked up.")
    if "@" in parts.netloc or parts.fragment:
        raise URLNotAllowed("The address has a user or a fragment, which no request shows.")
    if port == 0:
        raise URLNotAllowed("There is no port 0.")
    secure = parts.scheme == "https"
    return Target(secure, host, port or (443 if secure else 80), _path(parts))


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def check(url: str) -> None:
    """Raise ``URLNotAllowed`` for a URL that can be seen to be malformed or to lead inside.

    A name that nobody knows at present is accepted, because each request looks it up anyway.
    """
    target = parse(url)
    try:
        found = _look_up_soon(target)
    except OSError:
        found = []
    try:
        permitted(target, found)
    except NotPublic as error:
        raise URLNotAllowed(str(error)) from None


def _look_up_soon(target: Target) -> list[Address]:
    looking: Future[list[Address]] = _lookups.submit(look_up, target)
    try:
        return looking.result(LOOK_UP_SECONDS)
    except LookupTimeout:
        looking.cancel()
        return []


def look_up(target: Target) -> list[Address]:
    """Return the addresses of the host. Raise ``OSError`` where it has none."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    texts = dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)
    return [ipaddress.ip_address(text) for text in texts]


def permitted(target: Target, found: Sequence[Address]) -> list[Address]:
    """Return the addresses that were found, if a request may go to each of them.

    Raise ``NotPublic``. Public addresses are asked by HTTPS only, at the usual port or one that no
    system service has.
    """
    if found and all(_is_allowed_inside(address) for address in found):
        return list(found)
    if not all(_is_public(address) for address in found):
        raise NotPublic("The address leads to a network that no webhook may reach.")
    if not found and _INSIDE.fullmatch(target.host):
        raise NotPublic("The address is a name inside a network, which no webhook may reach.")
    if not target.secure:
        raise NotPublic("Events are sent by HTTPS only.")
    if target.port < 1024 and target.port != 443:
        raise NotPublic("A webhook may lead to port 443, or to one above 1023.")
    return list(found)


def _is_allowed_inside(address: Address) -> bool:
    inner = _inner(address)
    return any(
        inner.version == network.version and inner in network for network in settings.WEBHOOK_ALLOW
    )


def _is_public(address: Address) -> bool:
    inner = _inner(address)
    if inner in _LOCAL_NAT64 or any(inner in network for network in _SPECIAL):
        return False
    if inner.is_multicast or inner.is_reserved or getattr(inner, "is_site_local", False):
        return False
    return inner.is_global


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address leads to, if it does."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or address
