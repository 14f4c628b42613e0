"""Middleware of our own."""

import re
import secrets
import threading
from typing import Any
from urllib.parse import parse_qsl

import structlog
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse

from shop.errors import (
    ApplicationError,
    FieldError,
    Unavailable,
    ValidationFailed,
    error_response,
    is_outage,
    wants_json,
)
from shop.metrics import Metrics

logger = structlog.get_logger(__name__)

PATH_AND_QUERY_MAX = 8192
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def new_request_id() -> str:
    """Return an id for a request that brought none: 32 hexadecimal digits, as nginx's are."""
    return secrets.token_hex(16)


class RequestId:
    """Gives every request an id: the proxy's ``X-Request-ID`` where it is one, else a new one.

    The id is in the log of the request and of the tasks it starts, and in the answer.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
        request.META["HTTP_X_REQUEST_ID"] = request_id
        response: HttpResponse = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class MalformedInput:
    """Refuses addresses that cannot name anything: NUL, broken UTF-8, or overlong."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if len(request.path) + len(query) > PATH_AND_QUERY_MAX:
            return error_response(request, _Malformed("The address is too long."))
        if "\x00" in request.path or "%00" in query or "\x00" in query:
            return error_response(request, _Malformed("The address holds a NUL character."))
        if "\ufffd" in request.path:
            return error_response(request, _Malformed("The address is not UTF-8."))
        if wants_json(request.path) and (repeated := _repeated(query)):
            detail = "Give each parameter once."
            return error_response(
                request, ValidationFailed([FieldError("repeated", detail, repeated)])
            )
        response: HttpResponse = self.get_response(request)
        return response


def _repeated(query: str) -> str | None:
    """Return the name of a parameter that is there twice: whichever was taken could be wrong."""
    if query.count("=") < 2 and "&" not in query:
        return None
    seen: set[str] = set()
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in seen:
            return name[:100]
        seen.add(name)
    return None


class _Malformed(ApplicationError):
    status = 400
    code = "malformed_address"


_last = threading.local()


def _remember(sender: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
    import sys

    _last.exception = sys.exc_info()[1]


got_request_exception.connect(_remember, dispatch_uid="shop.unavailable")


class Unavailable503:
    """Turns a lost PostgreSQL or Valkey, met anywhere in Django, into 503 with Retry-After.

    Django makes a 500 of an exception at the layer of middleware where it occurs. The signal it
    sends then tells which exception that was.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _last.exception = None
        response: HttpResponse = self.get_response(request)
        if response.status_code == 500 and _last.exception and is_outage(_last.exception):
            logger.warning("request.unavailable", reason=type(_last.exception).__name__)
            return error_response(request, Unavailable())
        return response


__all__ = ["MalformedInput", "Metrics", "RequestId", "Unavailable503"]
