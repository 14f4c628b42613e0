"""The headers that describe a request's body, and those that would cost more than their length."""

from collections.abc import Iterable
from typing import Any

from shop.core.errors import FieldError, UnsupportedMediaType, ValidationFailed

# UTF-8 and its subset ASCII.
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
# Headers that have one value. A proxy would join a repeated one into another value.
_SINGLE = {name.lower().encode(): name for name in ("Idempotency-Key", "Content-Type")}
# Python reads parameters, as in ``text/html; charset=utf-8``, in the square of their length.
TYPES_MAX_BYTES = 1024
_TYPES = {b"accept": b"*/*", b"content-type": b"application/octet-stream"}


def bounded(scope: Any) -> Any:
    """Return an ASGI scope without headers that would take the square of their length.

    A type that is far too long counts as any type, or as none that is known. Cookies with a
    backslash are left out: RFC 6265 has none, and older versions of Python unquote them slowly.
    """
    headers = [_bounded(name, value) for name, value in scope["headers"]]
    return scope | {"headers": headers} if headers != scope["headers"] else scope


def _bounded(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name in _TYPES and len(value) > TYPES_MAX_BYTES:
        return name, _TYPES[name]
    if name == b"cookie" and b"\\" in value:
        return name, b";".join(each for each in value.split(b";") if b"\\" not in each)
    return name, value


def check_body_headers(content_type: str, content_encoding: str) -> None:
    """Raise ``UnsupportedMediaType`` for a compressed body or a charset other than UTF-8."""
    for coding in content_encoding.split(","):
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower().rstrip("*") == "charset" and (
            value.strip().strip("\"'").lower() not in _CHARSETS
        ):
            raise UnsupportedMediaType("Send the body in UTF-8.")


def check_repeated(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise ``ValidationFailed`` if a header that must be single is repeated.

    ``headers`` are those of ASGI, with names in lower case.
    """
    found = [name for name, _ in headers if name in _SINGLE]
    for name in found:
        if found.count(name) > 1:
            detail = "Give this header once."
            raise ValidationFailed([FieldError("repeated", detail, _SINGLE[name])])
