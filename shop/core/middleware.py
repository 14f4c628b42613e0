"""Middleware of our own."""

import re
import secrets
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponsePermanentRedirect,
)
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.middleware.common import CommonMiddleware
from django.shortcuts import resolve_url
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers

from shop.core.errors import (
    ApplicationError,
    FieldError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    ValidationFailed,
    error_response,
    error_shape,
    is_api,
    is_write,
)
from shop.core.headers import check_body_headers
from shop.core.metrics import Metrics
from shop.core.paths import other_spelling

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


class PrivateAnswers:
    """Keeps every answer out of caches that others read, unless its view says otherwise.

    It is the outermost but one, so that the answers of other middleware have its headers too.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        if not is_write(request) and "private" in response["Cache-Control"]:
            patch_vary_headers(response, ("Authorization", "Cookie"))
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response


class MalformedInput:
    """Refuses addresses that cannot name anything, and bodies that nothing here can read.

    Such addresses hold NUL or broken UTF-8, or are overlong; such bodies are compressed, or in a
    charset other than UTF-8. Cookies that we cannot have set are dropped, so that nobody looks for
    them in the database.
    """

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
        if is_api(request.path) and (repeated := _repeated(query)):
            detail = "Give each parameter once."
            return error_response(
                request, ValidationFailed([FieldError("repeated", detail, repeated)])
            )
        try:
            check_body_headers(
                request.META.get("CONTENT_TYPE", ""), request.META.get("HTTP_CONTENT_ENCODING", "")
            )
        except ApplicationError as error:
            return error_response(request, error)
        for name, value in [*request.COOKIES.items()]:
            # A quoted one may spell any character in octal.
            if not (value.isascii() and value.isprintable()):
                del request.COOKIES[name]
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


class SecureWrites:
    """Refuses a write over plain HTTP where HTTPS is asked for; Django would redirect it."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and is_write(request) and not request.is_secure():
            return error_response(request, HttpsRequired())
        response: HttpResponse = self.get_response(request)
        return response


class HttpsRequired(Forbidden):
    """What was sent in the clear is not carried out."""

    code = "https_required"
    detail = "Nothing was done. Send this over HTTPS."


class OtherMethods:
    """Gives the ``405`` that Django's views send empty the site's error page."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        page = error_response(request, MethodNotAllowed())
        page["Allow"] = response["Allow"]
        return page


class Slashes(CommonMiddleware):
    """Takes API routes with and without their trailing slash, and redirects no write.

    Most clients follow a redirect with a GET. A write that is redirected is then answered
    ``200`` although nothing was done.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        path = request.path_info
        if error_shape(path):
            request.path_info = _known_spelling(path)
            request.path = request.path.removesuffix(path) + request.path_info
        return super().process_request(request)

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return not is_write(request) and super().should_redirect_with_slash(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if is_write(request) and isinstance(response, HttpResponseRedirectBase):
            if response.status_code in (301, 307, 308):
                response = error_response(request, NotFound())
            # Without the way back in its query it is where a finished action leads.
            elif response.url.partition("?next=")[0] in _sign_in_pages() and "?" in response.url:
                response = error_response(request, SignedOut())
        return super().process_response(request, response)


class SignedOut(Forbidden):
    """A form was sent after the session had ended."""

    code = "not_authenticated"
    detail = "You are signed out, and nothing was done. Sign in, then send it again."


@lru_cache(maxsize=512)
def _known_spelling(path: str) -> str:
    """Return the path as a route has it, with or without its trailing slash."""
    other = other_spelling(path)
    if path.endswith("//"):
        return path
    # `/purchases/<id>/` would take `/purchases/export.csv/` for a purchase.
    known = path.endswith("/") and is_valid_path(other)
    return other if known or (not is_valid_path(path) and is_valid_path(other)) else path


@lru_cache(maxsize=1)
def _sign_in_pages() -> frozenset[str]:
    return frozenset({resolve_url(settings.LOGIN_URL), resolve_url("admin:login")})


__all__ = [
    "MalformedInput",
    "Metrics",
    "OtherMethods",
    "PrivateAnswers",
    "RequestId",
    "SecureWrites",
    "Slashes",
]
