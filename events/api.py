"""The REST API of the event log."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, may_see_everything
from accounts.permissions import Permission as P
from accounts.rules import needs
from events import selectors
from events.serializers import EventPageSerializer
from shop.core.errors import FieldError, Forbidden, ValidationFailed
from shop.core.schema import Answer, answers

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


def events_parameters(query: Any, *, staff: bool) -> tuple[int, int, int, bool]:
    """Return ``(after, limit, wait, everything)`` of a request for events, or raise.

    ``query`` is a mapping of strings. Without ``scope`` the caller gets what it may see.
    """
    after = _whole_number(query.get("after"), "after", 0, POSITION_MAX)
    limit = _whole_number(query.get("limit"), "limit", EVENTS_LIMIT, EVENTS_LIMIT_MAX)
    wait = _whole_number(query.get("wait"), "wait", 0, WAIT_MAX_SECONDS)
    if limit == 0:
        raise ValidationFailed([FieldError("invalid", "Give at least 1.", "limit")])
    scope = query.get("scope", "all" if staff else "mine")
    if scope not in ("mine", "all"):
        raise ValidationFailed([FieldError("invalid", "scope is mine or all.", "scope")])
    if scope == "all" and not staff:
        raise Forbidden("scope=all is for staff.", accepted=P.PURCHASES_READ_ALL.code)
    return after, limit, wait, scope == "all"


class EventListView(APIView):
    """The event log."""

    required = {"GET": needs(P.PURCHASES_READ)}

    @extend_schema(
        operation_id="events_list",
        extensions=answers(
            {
                "200": Answer(
                    links={
                        "what came since": ("events_list", {"after": "$response.body#/position"})
                    }
                )
            }
        ),
        summary="Read the event log",
        description=(
            "What you may see after a position, in order. With `wait` the answer is held until "
            "something comes, for that many seconds at most. `position` is what to give as "
            "`after` next time; it may be larger than that of the last event."
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
                "scope", OpenApiTypes.STR, enum=["mine", "all"], description="Staff: default all."
            ),
        ],
        responses={
            200: EventPageSerializer,
            409: OpenApiResponse(
                {"$ref": "#/components/schemas/ErrorEnvelope"},
                description="`after` is a position that was never given out (`position_unknown`).",
            ),
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
        after, limit, _, everything = events_parameters(
            request.query_params, staff=may_see_everything(caller)
        )
        # `wait` is honoured by events.longpoll, in front of this view, where waiting holds no
        # thread.
        events, position = selectors.events_page(
            caller, after=after, limit=limit, everything=everything
        )
        return Response({"events": [event.data for event in events], "position": position})
