"""Application errors, and how they are answered.

A service raises an ``ApplicationError``. Django REST framework, the ASGI application and Django's
own handlers all answer it with ``error_body``, so the answers are the same everywhere. Its shape is
the envelope of drf-standardized-errors. An app may give some of its routes another, a ``Dialect``.

Details are in English, because programs compare them. The pages of errors translate those that are
marked by ``gettext_noop``.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_noop

from shop.core.apps import error_dialects, page_of_request
from shop.core.metrics import REFUSED_BEFORE, observe_request
from shop.core.outages import is_commit_lost, is_outage, tell_gate

logger = structlog.get_logger(__name__)

API_PREFIX = "/api/"
RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: a stable code, a sentence, and the field it is about."""

    code: str
    detail: str
    attr: str | None = None


class ApplicationError(Exception):
    """An error that the caller is told: an HTTP status and one or more field errors."""

    status = 400
    code = "error"
    detail = gettext_noop("The request cannot be carried out.")
    attr: str | None = None

    def __init__(
        self, detail: str | None = None, *, code: str | None = None, attr: str | None = None
    ) -> None:
        self.errors = [FieldError(code or self.code, detail or self.detail, attr or self.attr)]
        super().__init__(self.errors[0].detail)


class ValidationFailed(ApplicationError):
    """The input breaks one or more rules; ``errors`` names each of them."""

    code = "invalid"

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors[0].detail)
        self.errors = errors


class NotAuthenticated(ApplicationError):
    """The caller is not signed in."""

    status = 401
    code = "not_authenticated"
    detail = gettext_noop("Authentication credentials were not provided.")


class Forbidden(ApplicationError):
    """The caller is signed in but may not do this.

    ``accepted`` is the permission that would allow it, ``part:verb``, if there is one.
    """

    status = 403
    code = "permission_denied"
    detail = gettext_noop("You do not have permission to perform this action.")

    def __init__(
        self,
        detail: str | None = None,
        *,
        accepted: str = "",
        code: str | None = None,
        attr: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, attr=attr)
        self.accepted = accepted


class NotFound(ApplicationError):
    """There is nothing at this address that the caller may see."""

    status = 404
    code = "not_found"
    detail = gettext_noop("Not found.")


class MethodNotAllowed(ApplicationError):
    """The address does not take this method."""

    status = 405
    code = "method_not_allowed"
    detail = gettext_noop("This address does not take that method.")


class Conflict(ApplicationError):
    """The request contradicts what is already stored."""

    status = 409
    code = "conflict"


class PayloadTooLarge(ApplicationError):
    """The body is larger than this address takes."""

    status = 413
    code = "payload_too_large"
    detail = gettext_noop("The request body is too large.")


class UnsupportedMediaType(ApplicationError):
    """This address does not read the body's media type, coding or charset."""

    status = 415
    code = "unsupported_media_type"
    detail = gettext_noop("The body is not of a kind that is read here.")


class Throttled(ApplicationError):
    """One address sent too many requests of one kind. Most limits are for a minute."""

    status = 429
    code = "throttled"
    detail = gettext_noop("There were too many of these requests from your address.")
    retry_after = 60


class ServerError(ApplicationError):
    """A defect of ours; the details are in the log and not in the answer."""

    status = 500
    code = "error"
    detail = gettext_noop("The server made a mistake. It has been logged.")


class Unavailable(ApplicationError):
    """This cannot be done now, and nothing was recorded. The client should try again later."""

    status = 503
    code = "service_unavailable"
    detail = gettext_noop(
        "The service cannot do this right now, and nothing was recorded. Try again shortly."
    )


class ReadOnly(Unavailable):
    """The site is read-only, as during maintenance."""

    code = "read_only"
    detail = gettext_noop("The site is read-only at the moment, and nothing was done. Try later.")
    retry_after = 60


class OutcomeUnknown(Unavailable):
    """PostgreSQL did not answer a commit, so nobody knows whether it took place."""

    detail = gettext_noop("The outcome is not known yet. Send the same request again to learn it.")


def unavailable(outage: BaseException | None) -> Unavailable:
    """Return the error that tells a caller of an outage; ``outage`` is the exception."""
    return OutcomeUnknown() if is_commit_lost(outage) else Unavailable()


def error_body(error: ApplicationError) -> dict[str, Any]:
    """Return the envelope ``{"type", "errors": [{"code", "detail", "attr"}]}``."""
    if isinstance(error, ValidationFailed):
        kind = "validation_error"
    else:
        kind = "server_error" if error.status >= 500 else "client_error"
    return {"type": kind, "errors": [asdict(item) for item in error.errors]}


def error_headers(error: ApplicationError) -> dict[str, str]:
    """Return the headers that the error's status asks for."""
    if error.status in (429, 503):
        return {"Retry-After": str(getattr(error, "retry_after", RETRY_AFTER_SECONDS))}
    if error.status == 401:
        return {"WWW-Authenticate": "Token"}
    if isinstance(error, Forbidden) and error.accepted:
        return {"Accepted-Permissions": error.accepted}
    return {}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Routes whose errors have a JSON shape of their own."""

    owns: Callable[[str], bool]
    """Return whether a path is one of these routes."""
    body: Callable[[ApplicationError], dict[str, Any]]
    name: str
    schema: Mapping[str, Any]
    """The name and the content of the shape in the OpenAPI schema."""


_dialects = cache(error_dialects)


def is_api(path: str) -> bool:
    """Return whether ``path`` is below the API, which answers JSON only."""
    return f"{path}/".startswith(API_PREFIX)


def error_shape(path: str) -> Callable[[ApplicationError], dict[str, Any]] | None:
    """Return what makes the JSON of errors at ``path``; ``None`` if ``path`` is a page."""
    if is_api(path):
        return error_body
    return next((dialect.body for dialect in _dialects() if dialect.owns(path)), None)


def is_write(request: HttpRequest) -> bool:
    """Return whether the request's method is one that changes something."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


async def send_error(
    send: Any,
    error: ApplicationError,
    *,
    path: str = "/api/",
    message: str = "http.response",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Answer by ASGI, in the shape that errors at ``path`` have.

    ``message`` is the prefix of the type of both messages. A websocket's handshake has another
    one, ``websocket.http.response``.
    """
    if shape := error_shape(path):
        kind, body = "application/json", msgspec.json.encode(shape(error))
    else:
        kind, body = "text/plain; charset=utf-8", f"{error}\n".encode()
    everything = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "same-origin",
        **error_headers(error),
        **headers,
    }
    if message == "http.response":
        # Django counts what it answers itself.
        observe_request("other", REFUSED_BEFORE, error.status, 0.0)
    encoded = [(name.lower().encode(), value.encode()) for name, value in everything.items()]
    await send({"type": f"{message}.start", "status": error.status, "headers": encoded})
    await send({"type": f"{message}.body", "body": body})


def error_response(request: HttpRequest, error: ApplicationError) -> HttpResponse:
    """Answer an error outside REST framework, as JSON or as a page.

    A write to an unknown address comes from a program, so it gets JSON, too. The page is the
    template ``<status>.html`` with ``error`` in its context, or that of ``422``.
    """
    response: HttpResponse
    shape = error_shape(request.path)
    if shape is None and is_write(request) and request.resolver_match is None:
        shape = error_body
    if shape:
        response = JsonResponse(shape(error), status=error.status)
    else:
        context = {"error": error.errors[0], **_request_of(request)}
        names = [f"{error.status}.html", "422.html"]
        response = render(request, names, context, status=error.status)
    for name, value in error_headers(error).items():
        response[name] = value
    return response


def _request_of(request: HttpRequest) -> dict[str, str]:
    """Return the id of a request, and where somebody who may finds what happened in it."""
    request_id = request.META.get("HTTP_X_REQUEST_ID", "")
    # Where no user was looked for, an error is no reason to ask the database.
    user = getattr(request, "_cached_user", None)
    known = user is not None and bool(request_id)
    page = page_of_request(user, request_id) if known else ""
    return {"request_id": request_id, "request_page": page}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler404``."""
    return error_response(request, NotFound())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler403``."""
    return error_response(request, Forbidden())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's ``handler400``: suspicious hosts, too many fields, a body over the limit."""
    if isinstance(exception, RequestDataTooBig):
        return error_response(request, PayloadTooLarge())
    return error_response(request, ApplicationError(code="bad_request"))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """allauth's ``handler429``."""
    return error_response(request, Throttled())


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's ``handler500``; an outage is answered 503.

    Django calls it in an ``except`` block, so ``sys.exc_info`` has the exception.
    """
    exception = sys.exc_info()[1]
    if not is_outage(exception):
        return error_response(request, ServerError())
    logger.warning("request.unavailable", reason=type(exception).__name__)
    tell_gate(request.META, exception)
    return error_response(request, unavailable(exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request whose CSRF token is missing or wrong."""
    return error_response(request, Forbidden(f"CSRF check failed: {reason}", code="csrf_failed"))
