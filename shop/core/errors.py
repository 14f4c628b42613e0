"""Application errors, and the one envelope they are answered in.

A service raises an :class:`ApplicationError`; whoever answers a request, whether Django REST
framework or the ASGI path of single purchases, turns it into the envelope of
drf-standardized-errors with :func:`error_body`, so that the answers are the same.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import msgspec
import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from shop.core.outages import is_commit_lost, is_outage, tell_gate
from shop.server.routes import API_PREFIX, CLASSIC_PREFIX

logger = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong: a stable code, a sentence, and the field it is about."""

    code: str
    detail: str
    attr: str | None = None


class ApplicationError(Exception):
    """Something that a caller is told: an HTTP status and one or more field errors."""

    status = 400
    code = "error"
    detail = "The request cannot be carried out."
    attr: str | None = None

    def __init__(
        self, detail: str | None = None, *, code: str | None = None, attr: str | None = None
    ) -> None:
        self.errors = [FieldError(code or self.code, detail or self.detail, attr or self.attr)]
        super().__init__(self.errors[0].detail)


class ValidationFailed(ApplicationError):
    """The input breaks one or more rules; every one of them is named."""

    code = "invalid"

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors[0].detail)
        self.errors = errors


class NotAuthenticated(ApplicationError):
    """The caller is not signed in."""

    status = 401
    code = "not_authenticated"
    detail = "Authentication credentials were not provided."


class Forbidden(ApplicationError):
    """The caller is known and may not do this.

    ``accepted`` is the permission that is needed, ``part:verb``, if it is a matter of rights.
    """

    status = 403
    code = "permission_denied"
    detail = "You do not have permission to perform this action."

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


class Conflict(ApplicationError):
    """The request contradicts what is already stored."""

    status = 409
    code = "conflict"


class Unavailable(ApplicationError):
    """It cannot be done now, and nothing has been recorded; trying again later is right."""

    status = 503
    code = "service_unavailable"
    detail = "The service cannot do this right now, and nothing was recorded. Try again shortly."


class OutcomeUnknown(Unavailable):
    """The connection to PostgreSQL broke, or hangs, while a commit was on its way."""

    detail = "The outcome is not known yet. Send the same request again to learn it."


def unavailable(outage: BaseException | None) -> Unavailable:
    """Return what is answered to an exception that is an outage."""
    return OutcomeUnknown() if is_commit_lost(outage) else Unavailable()


def error_body(error: ApplicationError) -> dict[str, Any]:
    """Return the envelope ``{"type", "errors": [{"code", "detail", "attr"}]}``."""
    if isinstance(error, ValidationFailed):
        kind = "validation_error"
    else:
        kind = "server_error" if error.status >= 500 else "client_error"
    return {"type": kind, "errors": [asdict(item) for item in error.errors]}


def error_headers(error: ApplicationError) -> dict[str, str]:
    """Return the headers that belong to the error's status."""
    if error.status in (429, 503):
        return {"Retry-After": str(getattr(error, "retry_after", RETRY_AFTER_SECONDS))}
    if error.status == 401:
        return {"WWW-Authenticate": "Token"}
    if isinstance(error, Forbidden) and error.accepted:
        return {"Accepted-Permissions": error.accepted}
    return {}


_CLASSIC = re.compile(rf"(?:{CLASSIC_PREFIX})?/(?:buy|getAllUserBuys|buyList)(?:/|$)")


def is_classic(path: str) -> bool:
    """Return whether ``path`` is one of the original service's routes."""
    return _CLASSIC.match(path) is not None


def classic_error(error: ApplicationError) -> dict[str, Any]:
    """Return an error in the shape of the original service."""
    body = error_body(error)
    return {"status": "Error", "message": error.errors[0].detail, "errors": body["errors"]}


def wants_json(path: str) -> bool:
    """Return whether errors at ``path`` are answered as JSON, whatever the client accepts."""
    return f"{path}/".startswith(API_PREFIX)


def is_write(request: HttpRequest) -> bool:
    """Return whether the request's method means to change something."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


async def send_error(
    send: Any,
    error: ApplicationError,
    *,
    path: str = "/api/",
    message: str = "http.response",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Answer by ASGI, in the words of the interface that ``path`` belongs to.

    ``message`` is how the type of both messages begins: that of a request, or of a websocket's
    handshake (``websocket.http.response``).
    """
    kind = "application/json"
    if is_classic(path):
        body = msgspec.json.encode(classic_error(error))
    elif wants_json(path):
        body = msgspec.json.encode(error_body(error))
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
    encoded = [(name.lower().encode(), value.encode()) for name, value in everything.items()]
    await send({"type": f"{message}.start", "status": error.status, "headers": encoded})
    await send({"type": f"{message}.body", "body": body})


def error_response(request: HttpRequest, error: ApplicationError) -> HttpResponse:
    """Answer an error outside REST framework: an envelope under ``/api/``, else a page.

    A write to an address that is none is a program's too. The page is the template
    ``<status>.html``, which is given ``error``.
    """
    response: HttpResponse
    if is_classic(request.path):
        response = JsonResponse(classic_error(error), status=error.status)
    elif wants_json(request.path) or (is_write(request) and request.resolver_match is None):
        response = JsonResponse(error_body(error), status=error.status)
    else:
        context = {"error": error.errors[0]}
        response = render(request, f"{error.status}.html", context, status=error.status)
    for name, value in error_headers(error).items():
        response[name] = value
    return response


class MethodNotAllowed(ApplicationError):
    """The address takes other methods."""

    status = 405
    code = "method_not_allowed"
    detail = "This address does not take that method."


class NotFound(ApplicationError):
    """There is nothing at this address that the caller may see."""

    status = 404
    code = "not_found"
    detail = "Not found."


class ServerError(ApplicationError):
    """A defect of ours; the details are in the log and not in the answer."""

    status = 500
    code = "error"
    detail = "The server made a mistake. It has been logged."


class PayloadTooLarge(ApplicationError):
    """The body is larger than is taken here."""

    status = 413
    code = "payload_too_large"
    detail = "The request body is too large."


class UnsupportedMediaType(ApplicationError):
    """The body is of a kind, a coding or a charset that is not read here."""

    status = 415
    code = "unsupported_media_type"
    detail = "The body is not of a kind that is read here."


class Throttled(ApplicationError):
    """Too many requests of one kind came from one address; most limits are those of a minute."""

    status = 429
    code = "throttled"
    detail = "There were too many of these requests from your address."
    retry_after = 60


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
    """Django's ``handler500``, called while the exception is handled; an outage is a 503."""
    exception = sys.exc_info()[1]
    if not is_outage(exception):
        return error_response(request, ServerError())
    logger.warning("request.unavailable", reason=type(exception).__name__)
    tell_gate(request.META, exception)
    return error_response(request, unavailable(exception))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request whose CSRF token is missing or wrong."""
    return error_response(request, Forbidden(f"CSRF check failed: {reason}", code="csrf_failed"))
