"""The REST API of the event log."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.rules import SIGNED_IN
from events import selectors
from events.selection import Asked
from events.serializers import EventPageSerializer, EventTypeSerializer
from events.teams import audience_for
from events.types import declared
from shop.core.errors import FieldError, ValidationFailed
from shop.core.schema import ACCEPTED_PERMISSIONS, Answer, answers, envelope

EVENTS_LIMIT = 500
EVENTS_LIMIT_MAX = 5000
WAIT_MAX_SECONDS = 30
POSITION_MAX = 2**63 - 1
_GO_ON = {"after": "$response.body#/position"}


def _whole_number(value: str | None, name: str, default: int, maximum: int) -> int:
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 19 and int(value) <= maximum):
        detail = f"Give a whole number from 0 to {maximum}."
        raise ValidationFailed([FieldError("invalid", detail, name)])
    return int(value)


def events_parameters(query: Any) -> tuple[int, int, int, Asked]:
    """Return ``(after, limit, wait, asked)`` of a request for events, or raise.

    ``query`` is a mapping of strings.
    """
    after = _whole_number(query.get("after"), "after", 0, POSITION_MAX)
    limit = _whole_number(query.get("limit"), "limit", EVENTS_LIMIT, EVENTS_LIMIT_MAX)
    wait = _whole_number(query.get("wait"), "wait", 0, WAIT_MAX_SECONDS)
    if limit == 0:
        raise ValidationFailed([FieldError("invalid", "Give at least 1.", "limit")])
    return after, limit, wait, Asked.parse(query)


class EventListView(APIView):
    """The event log."""

    # The permission depends on the types that the client names.
    required = {"GET": SIGNED_IN}
    ignores_unknown = True

    @extend_schema(
        operation_id="events_list",
        extensions=answers(
            {
                "200": Answer(
                    links={
                        "what came since": ("events_list", {"after": "$response.body#/position"})
                    }
                ),
                "403": Answer(headers={"Accepted-Permissions": ACCEPTED_PERMISSIONS}),
            }
        ),
        summary="Read the event log",
        description=(
            "The events after a position that you may read, in order. With `wait` the server "
            "holds the answer until an event comes, for that many seconds at most. Give `position` "
            "as `after` next time; it may be larger than the last event's."
        ),
        parameters=[
            OpenApiParameter(
                "after",
                {"type": "integer", "format": "int64", "minimum": 0, "maximum": POSITION_MAX},
                description="Default 0, the beginning.",
            ),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": EVENTS_LIMIT_MAX},
                description="1 to 5000; default 500.",
            ),
            OpenApiParameter(
                "wait",
                {"type": "integer", "minimum": 0, "maximum": WAIT_MAX_SECONDS},
                description="0 to 30 seconds; default 0.",
            ),
            OpenApiParameter(
                "scope",
                OpenApiTypes.STR,
                enum=["mine", "all"],
                description=(
                    "Your own events or everybody's; default `all` where you may read everybody's."
                ),
            ),
            OpenApiParameter(
                "types",
                OpenApiTypes.STR,
                description=(
                    "Names of types of events, with commas between, or `*` for every type that "
                    "you may see in the scope; default `purchase.recorded`."
                ),
            ),
        ],
        responses={
            200: EventPageSerializer,
            409: envelope("`after` is a position that was never given out (`position_unknown`)."),
        },
        examples=[
            OpenApiExample(
                "one event",
                {
                    "events": [
                        {
                            "position": 124,
                            "event": "purchase.recorded",
                            "at": "2024-05-31T15:54:33.010512Z",
                            "purchase": {
                                "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
                                "username": "joe",
                                "userid": "005",
                                "item": "book",
                                "quantity": 1,
                                "price": "1195.30",
                                "currency": "EUR",
                                "total": "1195.30",
                                "timestamp": "2024-05-31T15:54:32.204000Z",
                                "received_at": "2024-05-31T15:54:33.010512Z",
                            },
                        }
                    ],
                    "position": 124,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        caller = Caller.of(request.user)
        after, limit, _, asked = events_parameters(request.query_params)
        selection = asked.allowed_to(caller)
        # events.longpoll, in front of this view, answers `wait`, because there a wait holds no
        # thread.
        audience = audience_for(caller, everything=selection.everything, types=selection.types)
        events, position = selectors.events_page(
            audience, after=after, limit=limit, types=selection.types
        )
        return Response({"events": [event.data for event in events], "position": position})


class EventTypeListView(APIView):
    """The types of events."""

    required = {"GET": SIGNED_IN}

    @extend_schema(
        operation_id="events_types_list",
        summary="List the types of events",
        description=(
            "The types whose events you may read, your own or everybody's. Each has its part of "
            "the shop, a description, and the JSON Schema of its data."
        ),
        responses={200: EventTypeSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        permissions = Caller.of(request.user).permissions
        return Response(
            [
                {
                    "type": type.name,
                    "part": type.part,
                    "description": type.description,
                    "schema": type.schema,
                }
                for type in declared()
                if type.is_readable(permissions, everything=False)
            ]
        )
