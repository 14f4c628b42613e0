"""Whose a request's session is, also while ``DJANGO_SECRET_KEY`` is replaced."""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


class SessionUser(AuthenticationMiddleware):
    """Gives a session that an earlier key has signed the present key's digest, under its own id.

    Django gives it another id besides. So requests of the same browser at that moment, and its open
    sockets, would be signed out, and with processes of both keys again and again.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Let ``request.user`` be looked up when it is needed."""
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]


def _user_of(request: HttpRequest) -> Any:
    session: Any = request.session
    session.cycle_key = lambda: None
    try:
        return get_user(request)
    finally:
        del session.cycle_key
