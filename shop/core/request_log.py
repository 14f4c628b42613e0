"""The log of requests: which route, not which address, because addresses hold names."""

from functools import lru_cache
from typing import Any

import structlog
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django_structlog.middlewares import RequestMiddleware

from shop.core.paths import any_id


class RequestLog(RequestMiddleware):
    """django_structlog's, without the names of customers and the words of searches.

    Nobody can erase a line of a log that was written long ago.
    """

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Return the method and the pattern of the route, such as ``GET customers/<userid>/``."""
        match: Any = request.resolver_match
        route = match.route if match is not None else _route(any_id(request.path_info))
        return (
            f"{request.method} (no such route)" if route is None else f"{request.method} /{route}"
        )

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """Bind the client's address. The server has taken it from those proxies that it trusts."""
        structlog.contextvars.bind_contextvars(ip=request.META.get("REMOTE_ADDR") or None)


@lru_cache(maxsize=512)
def _route(path: str) -> str | None:
    """Return the pattern of a path's route. Django looks it up again, so it is remembered."""
    try:
        return resolve(path).route
    except Resolver404:
        return None
