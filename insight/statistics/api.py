"""The statistics API."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.rules import needs
from insight.statistics import files
from insight.statistics.answers import KINDS, Answer, answer, limits
from insight.statistics.calendar import MAX_PERIODS, Interval
from insight.statistics.questions import COMPARE, LIMIT_MAX, ORDERS, Question, question
from insight.statistics.serializers import (
    CohortsSerializer,
    CustomersSerializer,
    ItemsSerializer,
    LimitsSerializer,
    SalesSerializer,
    WeekdaysSerializer,
)
from shop.core.errors import NotFound
from shop.core.renderers import Plain
from shop.core.replica import database_for

READ = {"GET": needs(P.INSIGHT_READ)}


def _text(name: str, description: str, enum: tuple[str, ...] | None = None) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description, enum=enum)


_RANGE = [
    _text("since", "A day, a month, a year, or a time with an offset."),
    _text("until", "The last day, month or year; or a time, before which the range ends."),
    _text("time_zone", "The zone whose days these are, such as `Europe/Amsterdam`. Default UTC."),
    _text("currency", "Only purchases in this currency."),
    _text("item", "Only purchases of this item."),
    _text("username", "Only this customer's; others' need `insight:read_all`."),
]
_LIMIT = OpenApiParameter(
    "limit", OpenApiTypes.INT, description=f"How many are named, up to {LIMIT_MAX}; default 20."
)
_ORDER = _text("order", "What the first have most of.", ORDERS)
_WEEK_START = _text("week_start", "Default monday.", ("monday", "saturday", "sunday"))
_SALES = [
    *_RANGE,
    _text("interval", f"The length of a period; at most {MAX_PERIODS} fit.", tuple(Interval)),
    _WEEK_START,
    _text("compare", "Add the range before this one, or that of a year before.", COMPARE),
]
_TAG = {
    "If-None-Match": OpenApiParameter(
        "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="An `ETag`."
    )
}
_MODIFIED = OpenApiResponse(description="The client's copy is current (`If-None-Match`).")
_TRUE = (
    " A customer sees its own figures. Amounts of different currencies are never added. The answer"
    " has every purchase up to its `position`, which its `ETag` names."
)


def _question(request: Request, kind: str) -> tuple[Question, str]:
    caller = Caller.of(request.user)
    usual = Interval.MONTH if kind == "cohorts" else Interval.DAY
    asked = question(caller, request.query_params.dict(), timezone.now(), default=usual)
    return asked, database_for(caller.id)


def _answer(request: Request, kind: str) -> Answer:
    asked, using = _question(request, kind)
    return answer(kind, asked, using, request.headers.get("If-None-Match", ""))


def _headers(found: Answer) -> dict[str, str]:
    return {"ETag": found.etag, "Cache-Control": "private, no-cache"}


class _View(APIView):
    """One kind of statistics."""

    required = READ
    kind = ""
    # A client asks all kinds by the same query.
    also_known = ("compare", "interval", "limit", "order", "week_start")

    def get(self, request: Request) -> Response:
        found = _answer(request, self.kind)
        status = 304 if found.body is None else 200
        body = None if found.body is None else Plain(found.body)
        return Response(body, status=status, headers=_headers(found))


def _described(kind: str, summary: str, text: str, serializer: Any, *parameters: Any) -> Any:
    return extend_schema(
        operation_id=f"statistics_{kind}",
        summary=summary,
        description=text + _TRUE,
        parameters=[*parameters, *_TAG.values()],
        responses={200: serializer, 304: _MODIFIED},
    )


class SalesView(_View):
    """Sales by period."""

    kind = "sales"

    @_described(
        "sales",
        "Sum up sales by hour, day, week, month or year",
        "Purchases, pieces, revenue and distinct customers of each period; without any it has"
        " zeros. A day has 23, 24 or 25 hours, and a repeated hour is two periods.",
        SalesSerializer,
        *_SALES,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class ItemsView(_View):
    """The items that sold best."""

    kind = "items"

    @_described(
        "items",
        "List the items that sold best",
        "The first ones by name, and all others together.",
        ItemsSerializer,
        *_RANGE,
        _ORDER,
        _LIMIT,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class CustomersView(_View):
    """New customers and returning ones."""

    kind = "customers"

    @_described(
        "customers",
        "Count new and returning customers",
        "And list those who bought most.",
        CustomersSerializer,
        *_RANGE,
        _ORDER,
        _LIMIT,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class CohortsView(_View):
    """Customers by the month of their first purchase."""

    kind = "cohorts"

    @_described(
        "cohorts",
        "Follow customers by the month of their first purchase",
        "How many of them bought in each month since, and for how much.",
        CohortsSerializer,
        *_RANGE,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class WeekdaysView(_View):
    """The hours of the week."""

    kind = "weekdays"

    @_described(
        "weekdays",
        "Sum up sales by weekday and hour",
        "Seven days of 24 hours, by the clocks of the time zone.",
        WeekdaysSerializer,
        *_RANGE,
        _WEEK_START,
    )
    def get(self, request: Request) -> Response:
        return super().get(request)


class LimitsView(APIView):
    """How far the figures go."""

    required = READ

    @extend_schema(
        operation_id="statistics_limits",
        summary="Say how far the figures go",
        description="The oldest and the newest purchase of what the caller may see.",
        parameters=[_RANGE[-1]],
        responses={200: LimitsSerializer},
    )
    def get(self, request: Request) -> Response:
        caller = Caller.of(request.user)
        given = {"username": request.query_params.get("username", "")}
        asked = question(caller, given, timezone.now())
        return Response(limits(asked, database_for(caller.id)))


class _FileView(APIView):
    """A kind of statistics as a file."""

    required = READ
    ending = ""

    def get(self, request: Request, kind: str) -> Any:
        if kind not in KINDS:
            raise NotFound()
        found = _answer(request, kind)
        if found.body is None:
            return Response(status=304, headers=_headers(found))
        head, rows = files.table(kind, found.body)
        to_xlsx = self.ending == "xlsx"
        body = files.to_xlsx(kind, head, rows) if to_xlsx else files.to_csv(head, rows)
        headers = _headers(found) | {
            "Content-Type": files.TYPES[self.ending],
            "Content-Disposition": f'attachment; filename="{kind}.{self.ending}"',
            "Statistics-Position": str(found.body["position"]),
        }
        return HttpResponse(body, headers=headers)


_KIND = OpenApiParameter("kind", OpenApiTypes.STR, OpenApiParameter.PATH, enum=KINDS)


class CsvView(_FileView):
    """A kind of statistics as CSV."""

    ending = "csv"

    @extend_schema(
        operation_id="statistics_csv",
        summary="Export statistics as CSV",
        description="With the parameters of the same statistics. No cell is read as a formula.",
        parameters=[_KIND, *_SALES, _ORDER, _LIMIT],
        responses={(200, "text/csv"): OpenApiTypes.STR, 304: _MODIFIED},
    )
    def get(self, request: Request, kind: str) -> Any:
        return super().get(request, kind)


class XlsxView(_FileView):
    """A kind of statistics as a workbook."""

    ending = "xlsx"

    @extend_schema(
        operation_id="statistics_xlsx",
        summary="Export statistics as a spreadsheet",
        description="With the parameters of the same statistics.",
        parameters=[_KIND, *_SALES, _ORDER, _LIMIT],
        responses={(200, files.TYPES["xlsx"]): OpenApiTypes.BINARY, 304: _MODIFIED},
    )
    def get(self, request: Request, kind: str) -> Any:
        return super().get(request, kind)
