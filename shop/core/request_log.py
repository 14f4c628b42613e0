"""The log of requests: which route, not which address, because addresses hold names."""

from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django_structlog.middlewares import RequestMiddleware


class RequestLog(RequestMiddleware):
    """django_structlog's, without the names of customers and the words of searches.

    Nobody can erase a line of a log that was written long ago.
    """

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Return the method and the pattern of the route, such as ``GET customers/<userid>/``."""
        match: Any = request.resolver_match
        if match is None:
            try:
                match = resolve(request.path_info)
            except Resolver404:
                return f"{request.method} (no such route)"
        return f"{request.method} /{match.route}"
