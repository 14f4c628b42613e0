"""The REST API of the ledger."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, may_see_everything
from accounts.permissions import Permission as P
from accounts.quotas import count_lines
from accounts.rules import needs
from purchases import exports, formats, selectors, workbook
from purchases.audit import export_record
from purchases.bulk import Upload, body_digest, record_lines, spool
from purchases.filters import PurchaseFilter, filters_by_price
from purchases.identity import Identity, key_columns
from purchases.lines import CONTENT_TYPES, CSV, READERS, Line, csv_lines
from purchases.models import Purchase
from purchases.routes import purchase_path
from purchases.serializers import (
    BulkResultSerializer,
    PurchaseInputSerializer,
    PurchaseSerializer,
)
from purchases.services import record_purchase
from purchases.validation import parse_purchase
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.merged import Merged
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.replica import database_for
from shop.core.schema import LOCATION, REPLAYED, Answer, answers, envelope

_PRICE: dict[str, Any] = {
    "type": "string",
    "format": "decimal",
    "pattern": r"^([0-9]{1,16}(\.[0-9]{1,4})?)?$",
}
FILTERS = [
    OpenApiParameter(
        "since", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
    ),
    OpenApiParameter(
        "until", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
    ),
    OpenApiParameter("min_price", _PRICE, description="Lowest price per unit."),
    OpenApiParameter("max_price", _PRICE, description="Highest price per unit."),
    OpenApiParameter("item", OpenApiTypes.STR, description="The item, exactly."),
    OpenApiParameter("username", OpenApiTypes.STR, description="One customer's."),
]
_LINKS = {
    "the purchase": ("purchases_retrieve", {"id": "$response.body#/id"}),
    "the customer's purchases": ("getAllUserBuys", {"username": "$response.body#/username"}),
}
EXAMPLE = {
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
}


def filtered(request: Request) -> Merged[Purchase]:
    """Return the visible, filtered purchases; raise ``ValidationFailed`` for a malformed filter."""
    caller = Caller.of(request.user)
    visible = selectors.purchases_visible_to(caller, database_for(caller.id))
    filters, purchases = PurchaseFilter.narrow(visible, request.query_params)
    if not filters.is_valid():
        raise translate_validation(filters.errors)
    return purchases


class PurchaseListView(APIView):
    """The list of purchases."""

    required = {"GET": needs(P.PURCHASES_READ), "POST": needs(P.PURCHASES_WRITE)}
    ignores_unknown = True

    @extend_schema(
        operation_id="purchases_list",
        summary="List purchases, newest first",
        description=(
            "Your own purchases, with those that you recorded as a client program. With "
            "`purchases:read_all`, everybody's. Keyset pages, without a count."
        ),
        parameters=[
            *FILTERS,
            *PAGE_PARAMETERS,
        ],
        responses={
            200: OpenApiResponse(
                response=page_schema(PurchaseSerializer),
                examples=[
                    OpenApiExample("page", {"next": None, "previous": None, "results": [EXAMPLE]})
                ],
            )
        },
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        paginator.keys_first = filters_by_price(request.query_params)
        purchases = paginator.paginate_queryset(filtered(request), request)
        return paginator.get_paginated_response(
            [selectors.to_purchase_data(purchase) for purchase in purchases]
        )

    @extend_schema(
        operation_id="purchases_record",
        summary="Record a purchase",
        description=(
            "The server answers after the purchase is durable. A repeat has the same "
            "`Idempotency-Key` or, without one, the same customer, item, quantity, price, "
            "currency and given timestamp. Its answer is `200`, with the first purchase and "
            "`Idempotent-Replayed: true`."
        ),
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers(
            {
                "200": Answer(headers={"Idempotent-Replayed": REPLAYED}, links=_LINKS),
                "201": Answer(headers={"Location": LOCATION}, links=_LINKS),
            }
        ),
        request=PurchaseInputSerializer,
        examples=[
            OpenApiExample(
                "a book",
                {
                    "item": "book",
                    "quantity": 1,
                    "price": "1195.30",
                    "timestamp": "2024-05-31T15:54:32.204Z",
                },
                request_only=True,
            ),
            OpenApiExample("the purchase", EXAMPLE, response_only=True),
        ],
        responses={
            201: PurchaseSerializer,
            200: OpenApiResponse(PurchaseSerializer, description="It was recorded before."),
            409: envelope("The userid belongs to another username."),
            422: envelope("The Idempotency-Key was used before with another body."),
        },
    )
    def post(self, request: Request) -> Response:
        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        purchase = parse_purchase(request.data, now=timezone.now())
        recorded = record_purchase(
            caller=Caller.of(request.user), purchase=purchase, idempotency_key=key
        )
        if recorded.replayed:
            return Response(recorded.purchase, headers={"Idempotent-Replayed": "true"})
        location = purchase_path(recorded.purchase["id"])
        return Response(recorded.purchase, status=201, headers={"Location": location})


class PurchaseView(APIView):
    """One purchase."""

    required = {"GET": needs(P.PURCHASES_READ)}

    @extend_schema(
        operation_id="purchases_retrieve",
        summary="Show a purchase",
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: PurchaseSerializer},
        examples=[OpenApiExample("the purchase", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        try:
            key = UUID(id)
        except ValueError:
            raise NotFound() from None
        purchase = selectors.purchase_of(Caller.of(request.user), key)
        return Response(selectors.to_purchase_data(purchase))


class _BulkParser(BaseParser):
    """Accepts every content type, because the view reads the body itself, line by line."""

    def __init__(self, media_type: str = "*/*") -> None:
        self.media_type = media_type


class BulkView(APIView):
    """Many purchases in one request."""

    required = {"POST": needs(P.PURCHASES_WRITE)}

    @extend_schema(
        operation_id="purchases_bulk",
        extensions=answers({"200": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        summary="Record many purchases",
        description=(
            "NDJSON, CSV with a header, or a JSON array, up to 100 000 lines and 64 MiB. One "
            "transaction records all valid lines; an invalid line gets an error of its own. With "
            "an `Idempotency-Key` a repeated request records nothing twice, even where lines have "
            "no timestamp. The key with another body is refused with `422` as a whole."
        ),
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter(
                "dry_run",
                OpenApiTypes.STR,
                enum=["0", "1"],
                description="1: record nothing. Only what you may read counts as a duplicate.",
            ),
            OpenApiParameter(
                "key",
                OpenApiTypes.STR,
                description=(
                    "Up to five columns, `COLUMN[,COLUMN]`, whose values identify the line. If you "
                    "recorded a line with these values before, an equal line is a duplicate, and a "
                    "different one an error."
                ),
            ),
            OpenApiParameter(
                "count_equal",
                OpenApiTypes.STR,
                enum=["0", "1"],
                description=(
                    "1: equal lines of one body are different purchases; sent again they are "
                    "duplicates."
                ),
            ),
        ],
        request={
            "application/x-ndjson": {
                "type": "string",
                "example": '{"item":"book","price":"12.50"}\n{"item":"pen","price":"1.20"}\n',
            },
            "text/csv": {
                "type": "string",
                "example": "item,price,timestamp\nbook,12.50,2024-05-31T15:54:32Z\n",
            },
            "application/json": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/PurchaseInputRequest"},
                "example": [{"item": "book", "price": "12.50"}],
            },
        },
        responses={
            200: OpenApiResponse(
                BulkResultSerializer,
                examples=[
                    OpenApiExample(
                        "result",
                        {
                            "recorded": 2,
                            "duplicates": 1,
                            "rejected": 1,
                            "errors": [
                                {
                                    "line": 3,
                                    "errors": [
                                        {
                                            "code": "required",
                                            "detail": "This field is required.",
                                            "attr": "price",
                                        }
                                    ],
                                }
                            ],
                        },
                    )
                ],
            ),
            422: envelope("The Idempotency-Key was used before with another body."),
        },
    )
    def post(self, request: Request) -> Response:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        if media_type not in CONTENT_TYPES:
            raise UnsupportedMediaType(media_type or "none")
        dry_run = _flag(request, "dry_run")
        count_equal = _flag(request, "count_equal")
        columns = request.query_params.get("key")
        key = () if columns is None else key_columns(columns)
        if key and count_equal:
            detail = "Give key or count_equal, not both."
            raise ValidationFailed([FieldError("invalid", detail, "count_equal")])
        idempotency_key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        length = request.META.get("CONTENT_LENGTH") or ""
        stream = request.META.get("wsgi.input")
        if not isinstance(stream, SpooledTemporaryFile):
            stream = request._request
        with spool(stream, int(length) if length.isdigit() else None) as file:
            upload = Upload(
                caller=Caller.of(request.user),
                idempotency_key=idempotency_key,
                body=""
                if idempotency_key is None
                else body_digest(file, media_type, count_equal, *key),
                identity=Identity(key=key, count_equal=count_equal) if key or count_equal else None,
                dry_run=dry_run,
                stopped=request.META.get("shop.stopped", lambda: False),
            )
            lines = _Counted(
                csv_lines(file, key) if media_type == CSV else READERS[media_type](file)
            )
            try:
                result = record_lines(lines, upload)
            finally:
                # The quota counts lines that the server read, also those that it did not record.
                count_lines(upload.caller, lines.count)
        return Response(
            {
                "recorded": result.recorded,
                "duplicates": result.duplicates,
                "rejected": result.rejected,
                "errors": result.errors,
            },
            headers={"Idempotent-Replayed": "true"} if result.replayed else None,
        )


class _Counted(Iterator[Line]):
    """Lines, with a count of those read so far."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.count = 0

    def __next__(self) -> Line:
        line = next(self._lines)
        self.count += 1
        return line


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "0")
    if value not in ("0", "1"):
        raise ValidationFailed([FieldError("invalid", "Give 0 or 1.", name)])
    return bool(value == "1")


class _ExportView(APIView):
    required = {"GET": needs(P.PURCHASES_READ)}
    ignores_unknown = True

    def answer(self, request: Request, format: formats.Format) -> HttpResponseBase:
        caller = Caller.of(request.user)
        purchases = filtered(request).order_by("-timestamp", "-id")
        if may_see_everything(caller) and request.method != "HEAD":
            export_record(caller, format.content_type, request.query_params.dict())
        return exports.answer(
            request._request,
            purchases,
            format,
            caller=caller,
            keys_first=filters_by_price(request.query_params),
        )


class ExportCSVView(_ExportView):
    """The list as CSV."""

    @extend_schema(
        operation_id="purchases_export_csv",
        summary="Export purchases as CSV",
        description=(
            "The filtered list, streamed. Every cell is in quotes. An apostrophe precedes text "
            "that a spreadsheet would read as a formula; the bulk route and the import remove it "
            "again.\n\nWith `excel=1` a spreadsheet can open the file. It has a byte order "
            "mark, `;` and decimal commas where the first language of `Accept-Language` has them, "
            'and texts such as `="005"`, which stay texts.'
        ),
        parameters=[
            *FILTERS,
            OpenApiParameter(
                "excel", OpenApiTypes.STR, enum=["0", "1"], description="1: for spreadsheets."
            ),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        if not _flag(request, "excel"):
            return self.answer(request, formats.CSV)
        language = request.headers.get("Accept-Language", "")
        answer = self.answer(request, formats.csv_for_spreadsheets(language))
        patch_vary_headers(answer, ["Accept-Language"])
        return answer


class ExportXLSXView(_ExportView):
    """The list as a spreadsheet."""

    @extend_schema(
        operation_id="purchases_export_xlsx",
        summary="Export purchases as a spreadsheet",
        description=(
            "The filtered list, streamed, in the format of Excel and others. Texts stay texts, and "
            "times are dates in UTC. A new sheet begins when one is full."
        ),
        parameters=FILTERS,
        responses={(200, workbook.CONTENT_TYPE): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.answer(request, workbook.XLSX)


class ExportJSONLView(_ExportView):
    """The list as JSON lines."""

    @extend_schema(
        operation_id="purchases_export_jsonl",
        summary="Export purchases as JSON lines",
        description="The filtered list, streamed, one purchase a line.",
        parameters=FILTERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return self.answer(request, formats.JSONL)
