"""The API of sessions."""

import uuid
from dataclasses import asdict
from typing import Any

from django.contrib.auth import logout
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Token
from accounts.rules import CredentialKind, Rule
from accounts.sessions.ending import end_credentials, end_one
from accounts.sessions.listing import sessions_of
from accounts.sessions.serializers import CredentialSerializer, EndedSerializer, EndSerializer
from shop.core.bodies import read
from shop.core.errors import Forbidden

WHOLE = Rule(credentials=CredentialKind.SESSION | CredentialKind.TOKEN | CredentialKind.JWT)
"""A key is for one purpose, so it may not look at other credentials."""


def check_whole(user: Any) -> None:
    """Raise ``Forbidden`` if the request's credential may do less than its account."""
    if user.account_permissions & ~user.credential_permissions:
        raise Forbidden(
            "This needs a credential with all permissions of the account.", code="credential_kind"
        )


def _own(request: Request) -> dict[str, str]:
    """Return the session's key or the token's digest that the request carries."""
    if isinstance(request.auth, Token):
        return {"token_digest": request.auth.digest}
    return {"session_key": request._request.session.session_key or ""}


_EXAMPLE = {
    "id": "0f0c3b8e-4c3d-4a7e-9c55-1f1f6c9c0a11",
    "kind": "browser",
    "current": True,
    "name": "Firefox, Linux",
    "methods": ["password", "totp"],
    "created_at": "2026-11-26T08:10:00.000000Z",
    "last_used_at": "2026-11-26T09:00:12.000000Z",
    "expires_at": "2026-12-10T08:10:00.000000Z",
    "address": "192.0.2.7",
    "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


class SessionListView(APIView):
    """Everything that is signed in to the account."""

    required = {"GET": WHOLE}

    @extend_schema(
        operation_id="sessions_list",
        tags=["accounts"],
        summary="List your sessions, tokens and keys",
        description=(
            "Browser sessions, tokens, JWT grants and API keys that are good, the one of this"
            " request first. When one was used last is right to about a minute."
        ),
        responses={200: CredentialSerializer(many=True)},
        examples=[OpenApiExample("a browser", _EXAMPLE, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        user: Any = request.user
        check_whole(user)
        found = sessions_of(user, **_own(request))
        return Response(CredentialSerializer(found, many=True).data)


class SessionView(APIView):
    """One session, token or key."""

    required = {"DELETE": WHOLE}

    @extend_schema(
        operation_id="sessions_end_one",
        tags=["accounts"],
        summary="End a session, token or key",
        description="It is refused from the next request on; its sockets close within 60 seconds.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        user: Any = request.user
        check_whole(user)
        end_one(user, id)
        return Response(status=204)


class SessionsEndView(APIView):
    """Signing out everywhere."""

    required = {"POST": WHOLE}

    @extend_schema(
        operation_id="sessions_end",
        tags=["accounts"],
        summary="End all sessions and tokens",
        description=(
            "Ends all of your browser sessions, tokens and JWT grants. `keep_current` keeps the"
            " one of this request, `keys` ends the API keys, too. Answers how many have ended."
        ),
        request=EndSerializer,
        responses={200: EndedSerializer},
        examples=[
            OpenApiExample("all others", {"keep_current": True}, request_only=True),
            OpenApiExample(
                "what has ended", {"browser": 2, "token": 1, "jwt": 0, "key": 0}, response_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        user: Any = request.user
        check_whole(user)
        given = read(EndSerializer, request)
        own = _own(request) if given["keep_current"] else {}
        with transaction.atomic(durable=True):
            ended = end_credentials(
                user,
                keep_session=own.get("session_key", ""),
                keep_token=own.get("token_digest", ""),
                keys=given["keys"],
                reason="asked",
            )
        if not own and not isinstance(request.auth, Token):
            logout(request._request)
        return Response(asdict(ended))
