"""The API of keys, for browser sessions only: no token, key or JWT changes what may sign in."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.keys import services
from accounts.keys.serializers import (
    KeyChangeSerializer,
    KeyInputSerializer,
    KeySerializer,
    NewKeySerializer,
    RotationSerializer,
)
from accounts.keys.texts import Made
from accounts.rules import ON_PAGES, RECENT
from accounts.sessions.recent import ReauthenticationRequired, is_recent
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
EXAMPLE = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "name": "till 3",
    "prefix": "shk_Zk3vQ9aT",
    "permissions": ["purchases:read", "purchases:write"],
    "networks": ["192.0.2.0/24"],
    "expires_at": None,
    "created_at": "2024-06-01T08:00:00.000000Z",
    "last_used_at": None,
    "last_used_address": None,
    "replaced_by": None,
}
NEW = OpenApiExample(
    "the key", EXAMPLE | {"key": "shk_Zk3vQ9aT…"}, response_only=True, status_codes=["201"]
)


def parse_id(id: str) -> UUID:
    """Return an id in a URL. Raise ``NotFound`` for what is none."""
    try:
        return UUID(id)
    except ValueError:
        raise NotFound() from None


def _answer(made: Made) -> Response:
    headers = {"Cache-Control": "no-store"}
    if made.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(KeySerializer(made.key).data | {"key": made.text}, status=201, headers=headers)


def _idempotency_key(request: Request) -> str | None:
    return parse_idempotency_key(request.headers.get("Idempotency-Key"))


class KeyListView(APIView):
    """API keys."""

    required = {"GET": ON_PAGES, "POST": RECENT}
    moment_field = "created"
    # The primary key is the digest.
    key_field = "id"

    @extend_schema(
        operation_id="keys_list",
        summary="List your API keys, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(response=page_schema(KeySerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        keys = paginator.paginate_queryset(services.keys_of(actor_of(request)), request, self)
        return paginator.get_paginated_response([KeySerializer(key).data for key in keys])

    @extend_schema(
        operation_id="keys_create",
        extensions=answers({"201": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        summary="Make an API key",
        description=(
            "Needs a browser session whose sign-in is younger than 5 minutes. `key` is shown only "
            "in this answer; what is stored is its digest. A key has the permissions that are "
            "named here and that its account has."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=KeyInputSerializer,
        responses={
            201: NewKeySerializer,
            422: KEY_REUSED,
            409: envelope("The account has too many keys."),
        },
        examples=[
            OpenApiExample(
                "a till",
                {"name": "till 3", "permissions": ["purchases:read", "purchases:write"]},
                request_only=True,
            ),
            NEW,
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(KeyInputSerializer, request)
        return _answer(
            services.key_create(
                user=actor_of(request),
                name=given["name"],
                permissions=services.parse_permissions(given["permissions"]),
                expires_at=given["expires_at"],
                networks=given["networks"] or (),
                idempotency_key=_idempotency_key(request),
            )
        )


class KeyView(APIView):
    """One API key."""

    required = {"GET": ON_PAGES, "PATCH": ON_PAGES, "DELETE": ON_PAGES}

    @extend_schema(
        operation_id="keys_retrieve",
        summary="Show an API key",
        parameters=[_ID],
        responses={200: KeySerializer},
        examples=[OpenApiExample("a till", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(KeySerializer(services.key_of(actor_of(request), parse_id(id))).data)

    @extend_schema(
        operation_id="keys_change",
        summary="Change an API key",
        description=(
            "More permissions or networks need a sign-in younger than 5 minutes. What was made "
            "from the key changes with it."
        ),
        parameters=[_ID],
        request=KeyChangeSerializer,
        responses={200: KeySerializer},
        examples=[
            OpenApiExample("only read", {"permissions": ["purchases:read"]}, request_only=True),
            OpenApiExample("a till", EXAMPLE, response_only=True),
        ],
    )
    def patch(self, request: Request, id: str) -> Response:
        given = read(KeyChangeSerializer, request)
        permissions = given.get("permissions")
        changes = services.Changes(
            name=given.get("name"),
            permissions=None if permissions is None else services.parse_permissions(permissions),
            networks=given.get("networks"),
        )
        try:
            key = services.key_change(
                user=actor_of(request),
                key_id=parse_id(id),
                changes=changes,
                may_widen=is_recent(request._request),
            )
        except services.Widens:
            raise ReauthenticationRequired() from None
        return Response(KeySerializer(key).data)

    @extend_schema(
        operation_id="keys_end",
        summary="End an API key",
        description="It is refused from the next request on. Its sockets close within a minute.",
        parameters=[_ID],
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        services.key_end(user=actor_of(request), key_id=parse_id(id))
        return Response(status=204)


class KeyRotationView(APIView):
    """The successor of an API key."""

    required = {"POST": RECENT}

    @extend_schema(
        operation_id="keys_rotate",
        extensions=answers({"201": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        summary="Rotate an API key",
        description=(
            "Makes a key with the same rights and the same end. The old one stays good for "
            "`overlap` seconds. If the answer was lost, rotate the successor, which the list shows."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        request=RotationSerializer,
        responses={
            201: NewKeySerializer,
            422: KEY_REUSED,
            409: envelope("It was rotated before."),
        },
        examples=[OpenApiExample("a day", {"overlap": 86400}, request_only=True), NEW],
    )
    def post(self, request: Request, id: str) -> Response:
        given = read(RotationSerializer, request)
        return _answer(
            services.key_rotate(
                user=actor_of(request),
                key_id=parse_id(id),
                overlap=given["overlap"],
                idempotency_key=_idempotency_key(request),
            )
        )
