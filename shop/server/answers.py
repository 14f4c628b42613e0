"""Headers that answers made below Django share with Django's own."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from shop.core.middleware import REQUEST_ID, new_request_id

App = Callable[[Any, Any, Any], Awaitable[None]]


def request_id(headers: dict[bytes, bytes]) -> bytes:
    """Return the request's own id if it is a valid one, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given.decode("latin-1")):
        return given
    return new_request_id().encode()


HEADERS = [
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
]
# Where plain HTTP is refused, Django answers.
ONLY_SECURE = bool(settings.SECURE_SSL_REDIRECT)
if ONLY_SECURE and settings.SECURE_HSTS_SECONDS:
    HEADERS.append(
        (
            b"strict-transport-security",
            b"max-age=%d; includeSubDomains; preload" % settings.SECURE_HSTS_SECONDS,
        )
    )
