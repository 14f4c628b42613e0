"""The REST API of the log."""

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from audit.services import record
from logs import counts
from logs.levels import LEVELS
from logs.lines import line_of, lines_around
from logs.pages_of_lines import LinePages
from logs.search import FIELD, FILTERS, PARTS, search_of
from logs.serializers import (
    LogAroundSerializer,
    LogHistogramSerializer,
    LogPageSerializer,
    LogStatusSerializer,
    LogTailSerializer,
)
from logs.streams import Export, Tail, place_of, tails
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.pagination import PAGE_PARAMETERS
from shop.core.times import iso
from shop.server.streaming import streamed

READ = {"GET": needs(P.LOGS_READ_ALL)}
AROUND = 20
AROUND_MAX = 200
WAIT_MAX = 30
STEP_MAX = 31 * 24 * 3600
_MOMENT = "A day or a time with an offset, inclusive."
_FILTERS = [
    OpenApiParameter("since", OpenApiTypes.STR, description=f"{_MOMENT} Default: 24 hours ago."),
    OpenApiParameter("until", OpenApiTypes.STR, description=f"{_MOMENT} At most 31 days later."),
    OpenApiParameter("level", enum=list(LEVELS), description="This level and those above."),
    OpenApiParameter("part", enum=list(PARTS), description="The kind of process."),
    OpenApiParameter("event", OpenApiTypes.STR, description="Such as `purchase.recorded`."),
    OpenApiParameter("request_id", OpenApiTypes.STR, description="Of an answer's `X-Request-ID`."),
    OpenApiParameter("user", OpenApiTypes.STR, description="An account's id, name or userid."),
    OpenApiParameter("instance", OpenApiTypes.STR, description="A process."),
    OpenApiParameter(
        "q",
        OpenApiTypes.STR,
        description="Words or their beginnings, of letters and digits; a line has all of them.",
    ),
    OpenApiParameter(
        "field.{name}",
        OpenApiTypes.STR,
        description="The value of a field, such as `field.purchase_id=…`; up to five of them.",
    ),
]


def whole_number(request: Request, name: str, default: int, maximum: int, least: int = 0) -> int:
    """Return a parameter that is a whole number. Raise ``ValidationFailed`` for any other."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= maximum:
        return int(text)
    detail = f"Give a whole number from {least} to {maximum}."
    raise ValidationFailed([FieldError("invalid", detail, name)])


class LogListView(APIView):
    """The lines."""

    required = READ

    @extend_schema(
        operation_id="logs_list",
        tags=["logs"],
        summary="Search the log, newest first",
        description=(
            "The lines that all processes wrote, some seconds later. A page may have fewer lines "
            "than asked for, even none, and still a `next`: a search reads for less than half a "
            "second, and goes on there. More than 31 days are `400 search_too_wide`."
        ),
        parameters=[*_FILTERS, *PAGE_PARAMETERS],
        responses={200: LogPageSerializer},
    )
    def get(self, request: Request) -> Response:
        paginator = LinePages()
        lines = paginator.paginate_search(search_of(request.query_params), request)
        return paginator.get_paginated_response([line.as_data() for line in lines])


class LogAroundView(APIView):
    """What happened around a line."""

    required = READ

    @extend_schema(
        operation_id="logs_around",
        tags=["logs"],
        summary="Read what happened around a line",
        description="The lines of all parts before and after it, the newest first.",
        parameters=[
            OpenApiParameter(
                name,
                {"type": "integer", "minimum": 0, "maximum": AROUND_MAX},
                description=f"Default {AROUND}.",
            )
            for name in ("before", "after")
        ],
        responses={200: LogAroundSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        before, after = (
            whole_number(request, name, AROUND, AROUND_MAX) for name in ("before", "after")
        )
        try:
            line = line_of(uuid.UUID(id))
        except ValueError:
            line = None
        if line is None:
            raise NotFound()
        return Response({"results": [one.as_data() for one in lines_around(line, before, after)]})


class LogHistogramView(APIView):
    """How many lines there were when."""

    required = READ

    @extend_schema(
        operation_id="logs_histogram",
        tags=["logs"],
        summary="Count the lines by time and level",
        description=f"At most {counts.BUCKETS_MAX} steps, else `400 too_many_periods`.",
        parameters=[
            *_FILTERS,
            OpenApiParameter(
                "step",
                {"type": "integer", "minimum": 1, "maximum": STEP_MAX},
                description="Seconds; without it there are 120 steps at most.",
            ),
        ],
        responses={200: LogHistogramSerializer},
    )
    def get(self, request: Request) -> Response:
        search = search_of(request.query_params)
        step = whole_number(request, "step", 0, STEP_MAX, 1) or counts.step_for(search)
        buckets = counts.histogram(search, step)
        return Response(
            {
                "step": step,
                "complete": all(bucket.counts is not None for bucket in buckets),
                "buckets": [
                    {
                        "at": iso(bucket.at),
                        "total": None if bucket.counts is None else bucket.total,
                        "levels": bucket.counts,
                    }
                    for bucket in buckets
                ],
            }
        )


class LogTailView(APIView):
    """New lines."""

    required = READ

    @extend_schema(
        operation_id="logs_tail",
        tags=["logs"],
        summary="Follow the log",
        description=(
            "The lines after `after`, the oldest first, as soon as there are some, for `wait` "
            "seconds at most. Without `after` they are the last ones, at once. A line is shown "
            "about three seconds after it was written, and comes once. Lines that a process could "
            "not store for longer are found by a search only."
        ),
        parameters=[
            *(one for one in _FILTERS if one.name not in ("since", "until")),
            OpenApiParameter("after", OpenApiTypes.STR, description="From the answer before."),
            OpenApiParameter(
                "wait",
                {"type": "integer", "minimum": 0, "maximum": WAIT_MAX},
                description="Seconds; default 20.",
            ),
        ],
        responses={200: LogTailSerializer},
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = {
            name: str(text)
            for name, text in request.query_params.items()
            if name not in ("since", "until")
        }
        text = request.query_params.get("after")
        try:
            after = place_of(text) if text is not None else None
        except ValueError:
            raise ValidationFailed(
                [FieldError("invalid", "Give `after` of an earlier answer.", "after")]
            ) from None
        wait = whole_number(request, "wait", 20, WAIT_MAX)
        tail = Tail(_holder(request), search_of(asked), after, wait)
        headers = {"Content-Type": "application/json"}
        return streamed(request._request, tail, tails, **headers)


class LogExportView(APIView):
    """All lines of a search."""

    required = READ

    @extend_schema(
        operation_id="logs_export",
        tags=["logs"],
        summary="Export lines as JSON lines",
        description="All lines of the search, up to a million, newest first. It is recorded.",
        parameters=_FILTERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        search = search_of(request.query_params)
        if request.method != "HEAD":
            _record_export(request._request, search.given)
        return streamed(
            request._request,
            Export(_holder(request), search),
            **{
                "Content-Type": "application/x-ndjson",
                "Content-Disposition": 'attachment; filename="logs.jsonl"',
            },
        )


def _record_export(request: HttpRequest, given: Any) -> None:
    told = {name: text for name, text in given.items() if name in FILTERS or FIELD in name}
    with transaction.atomic():
        record(
            "logs.exported",
            object="export:logs",
            actor_id=actor_of(request).pk,
            personal={"filters": told} if told else None,
        )


class LogStatusView(APIView):
    """How the copying of lines goes."""

    required = READ

    @extend_schema(
        operation_id="logs_status",
        tags=["logs"],
        summary="How the copying of lines goes",
        responses={200: LogStatusSerializer},
    )
    def get(self, request: Request) -> Response:
        state = counts.status()
        oldest = state["oldest"]
        return Response(state | {"oldest": iso(oldest) if oldest else None})


def _holder(request: Request) -> str:
    return f"account:{Caller.of(request.user).id}"
