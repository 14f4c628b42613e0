"""Requests to providers: bounded in time, size and number, and only to where they belong.

A provider's own document names the addresses of its endpoints. So an endpoint elsewhere than at
the configured issuer must not be an inside address, as that would turn the shop into a scanner.
"""

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from django.utils.translation import gettext_noop

from shop.core.identity import origin_of

logger = structlog.get_logger(__name__)

SECONDS = 5
"""How long a connection, and each part of an answer, may take."""
TOTAL_SECONDS = 10
ANSWER_MAX = 256 * 1024
AT_ONCE = 3
"""Requests under way in one process. A provider that hangs must not take all threads of pages."""

_places = threading.BoundedSemaphore(AT_ONCE)


class ProviderError(Exception):
    """The provider could not be asked, or its answer is of no use. Nothing has changed here."""

    message = gettext_noop("The provider's answer could not be understood. Nothing has changed.")


class Unreachable(ProviderError):
    """There was no answer in time."""

    message = gettext_noop("The provider cannot be reached at present. Try again in a minute.")


class Busy(ProviderError):
    """Other requests to providers take all places."""

    message = gettext_noop("Too many people sign in this way at present. Try again in a minute.")


def fetch(
    url: Any,
    *,
    issuer: str,
    form: Mapping[str, str] | None = None,
    credentials: tuple[str, str] | None = None,
    bearer: str = "",
) -> dict[str, Any]:
    """Return the JSON object at an address of the provider. With ``form`` it is a POST.

    Raise ``ProviderError``.
    """
    _check(url, issuer)
    if not _places.acquire(blocking=False):
        raise Busy("all places are taken")
    try:
        with requests.Session() as session, ExitStack() as closing:
            # Neither a proxy nor a password of the machine's user is meant for this.
            session.trust_env = False
            session.verify = ssl.get_default_verify_paths().cafile or True
            response = session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                auth=credentials,
                headers={"Accept": "application/json"}
                | ({"Authorization": f"Bearer {bearer}"} if bearer else {}),
                timeout=SECONDS,
                allow_redirects=False,
                stream=True,
            )
            closing.callback(response.close)
            return _answer(response)
    except requests.exceptions.InvalidURL as error:
        raise ProviderError(str(error)) from error
    except (requests.RequestException, OSError) as error:
        raise Unreachable(str(error)) from error
    finally:
        _places.release()


def _answer(response: requests.Response) -> dict[str, Any]:
    until = time.monotonic() + TOTAL_SECONDS
    body = b""
    for part in response.iter_content(16 * 1024):
        body += part
        if len(body) > ANSWER_MAX:
            raise ProviderError("the answer is too long")
        if time.monotonic() > until:
            raise Unreachable("the answer takes too long")
    if response.status_code >= 500:
        raise Unreachable(f"status {response.status_code}")
    if response.status_code != 200:
        raise ProviderError(f"status {response.status_code}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProviderError("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise ProviderError("the answer is no JSON object")
    return found


def _check(url: Any, issuer: str) -> None:
    """Raise ``ProviderError`` for an address that the provider has no business with."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        if origin_of(url) == origin_of(issuer):
            return
        host, port = parts.hostname or "", parts.port or 443
    except (ValueError, AttributeError, TypeError) as error:
        raise ProviderError(f"{url!r} is no address") from error
    if parts.scheme != "https":
        raise ProviderError(f"{url!r} is neither at the issuer nor HTTPS")
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port)}
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host} is not known") from error
    if not all(ipaddress.ip_address(each.partition("%")[0]).is_global for each in found):
        raise ProviderError(f"{host} is an inside address")
