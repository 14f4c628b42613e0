"""Our own middleware."""

import random
import re
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
from django.utils.translation import gettext_noop

from shop.core.apps import cookieless_paths, works_read_only
from shop.core.errors import (
    ApplicationError,
    FieldError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    ReadOnly,
    ValidationFailed,
    error_response,
    error_shape,
    is_api,
    is_write,
)
from shop.core.headers import check_body_headers
from shop.core.metrics import Metrics
from shop.core.paths import any_id, other_spelling
from shop.core.site_settings.general import READ_ONLY

PATH_AND_QUERY_MAX = 8192
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def new_request_id() -> str:
    """Return a new request id: 32 hexadecimal digits, like those of nginx."""
    return f"{random.getrandbits(128):032x}"


class RequestId:
    """Gives every request an id: a valid ``X-Request-ID`` of the proxy, else a new one.

    The id is in the answer, and in the log of the request and of the tasks that it starts.
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
    """Keeps every answer out of shared caches, unless its view says otherwise.

    It is the outermost middleware but one, so that answers of other middleware have its headers,
    too.
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


class Cookieless:
    """Keeps cookies away from the paths that apps declare, whose visitors are strangers.

    It is outside of everything that could read one, so a page there is the same for everybody.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_cookieless = request.path_info.startswith(cookieless_paths())
        if is_cookieless:
            request.META.pop("HTTP_COOKIE", None)
        response: HttpResponse = self.get_response(request)
        if is_cookieless:
            response.cookies.clear()
            vary = [name.strip() for name in response.get("Vary", "").split(",")]
            response.headers["Vary"] = ", ".join(n for n in vary if n.lower() != "cookie")
        return response


class MalformedInput:
    """Refuses malformed addresses, and bodies that nothing here can read.

    Malformed addresses contain NUL or broken UTF-8, or are too long. Unreadable bodies are
    compressed, or have a charset other than UTF-8. Cookies that we cannot have set are dropped, so
    that no look-up in the database is made for them.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if len(request.path) + len(query) > PATH_AND_QUERY_MAX:
            return error_response(request, _Malformed(gettext_noop("The address is too long.")))
        if "\x00" in request.path or "%00" in query or "\x00" in query:
            return error_response(
                request, _Malformed(gettext_noop("The address holds a NUL character."))
            )
        if "\ufffd" in request.path:
            return error_response(request, _Malformed(gettext_noop("The address is not UTF-8.")))
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
            # A quoted cookie may contain any character in octal.
            if not (value.isascii() and value.isprintable()):
                del request.COOKIES[name]
        response: HttpResponse = self.get_response(request)
        return response


def _repeated(query: str) -> str | None:
    """Return the name of a repeated parameter, because either of its values could be wrong."""
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
    """Refuses a write over plain HTTP if HTTPS is required. Django would redirect it."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and is_write(request) and not request.is_secure():
            return error_response(request, HttpsRequired())
        response: HttpResponse = self.get_response(request)
        return response


class HttpsRequired(Forbidden):
    """A write over plain HTTP is not carried out."""

    code = "https_required"
    detail = gettext_noop("Nothing was done. Send this over HTTPS.")


class ReadOnlySite:
    """Refuses writes while the site is read-only, but for the routes that apps declare."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        return response

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Answer a write instead of its view."""
        if not READ_ONLY.value or not is_write(request):
            return None
        match = request.resolver_match
        if match is not None and match.view_name in works_read_only():
            return None
        return error_response(request, ReadOnly())


class OtherMethods:
    """Gives Django's empty ``405`` answers, and refusals that no view took, the error page."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        page = error_response(request, MethodNotAllowed())
        page["Allow"] = response["Allow"]
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a refusal; what the site itself cannot do goes to ``server_error``."""
        if isinstance(exception, ApplicationError) and exception.status < 500:
            return error_response(request, exception)
        return None


class Slashes(CommonMiddleware):
    """Takes API routes with and without their trailing slash, and redirects no write.

    Most clients follow a redirect with a GET. A redirected write would then be answered ``200``
    although nothing was done.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        path = request.path_info
        if error_shape(path):
            request.path_info = _spelled(path)
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
            # A redirect to the sign-in without ``next`` follows a finished action.
            elif response.url.partition("?next=")[0] in _sign_in_pages() and "?" in response.url:
                # The page of the error links to it.
                request.sign_in = response.url  # type: ignore[attr-defined]
                response = error_response(request, SignedOut())
        return super().process_response(request, response)


class SignedOut(Forbidden):
    """A form was sent after its session had ended."""

    code = "not_authenticated"
    detail = gettext_noop("You are signed out, and nothing was done. Sign in, then send it again.")


def _spelled(path: str) -> str:
    """Return the path as its route has it, with or without a trailing slash."""
    known = _known_spelling(any_id(path))
    return path if known.endswith("/") == path.endswith("/") else other_spelling(path)


@lru_cache(maxsize=512)
def _known_spelling(path: str) -> str:
    """Return the path as its route has it; routes are found one by one, so it is remembered."""
    other = other_spelling(path)
    if path.endswith("//"):
        return path
    # `/purchases/<id>/` would take the `export.csv` of `/purchases/export.csv/` for an id.
    known = path.endswith("/") and is_valid_path(other)
    return other if known or (not is_valid_path(path) and is_valid_path(other)) else path


@lru_cache(maxsize=1)
def _sign_in_pages() -> frozenset[str]:
    return frozenset({resolve_url(settings.LOGIN_URL), resolve_url("admin:login")})


__all__ = [
    "Cookieless",
    "MalformedInput",
    "Metrics",
    "OtherMethods",
    "PrivateAnswers",
    "ReadOnlySite",
    "RequestId",
    "SecureWrites",
    "Slashes",
]
