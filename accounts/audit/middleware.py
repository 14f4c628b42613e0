"""Tells the audit which request acts, and by which credential."""

from functools import partial
from hashlib import sha256
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import BrowserSession, Token, TokenKind
from audit.context import NOBODY, Origin, acting

DIGEST_LENGTH = 32


class Acting:
    """Sets what ``audit.context.origin`` returns while a request is handled."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Most requests record nothing, so their credential is not looked at.
        token = acting.set(partial(origin_of, request))
        try:
            response: HttpResponseBase = self.get_response(request)
            return response
        finally:
            acting.reset(token)


def origin_of(request: HttpRequest) -> Origin:
    """Return where the changes of a request come from."""
    return Origin(
        credential=_credential(request),
        address=str(request.META.get("REMOTE_ADDR", "")),
        agent=request.META.get("HTTP_USER_AGENT", ""),
        actor_id=request.user.pk if hasattr(request, "user") else None,
        request_id=request.META.get("HTTP_X_REQUEST_ID", ""),
    )


def _credential(request: HttpRequest) -> str:
    # REST framework notes here by what it has authenticated the request.
    auth = getattr(request, "auth", None)
    if isinstance(auth, Token):
        return f"{TokenKind(auth.kind).label}:{auth.id}"
    session_key = getattr(getattr(request, "session", None), "session_key", None)
    return f"session:{_session_id(session_key)}" if session_key else NOBODY


def _session_id(session_key: str) -> str:
    """Return the id of a session's row. A session of this very moment has none yet."""
    known = BrowserSession.objects.filter(session_key=session_key).values_list("pk", flat=True)
    return str(known.first() or sha256(session_key.encode()).hexdigest()[:DIGEST_LENGTH])
