"""The report API."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from documents.downloads import download
from purchases.customers import customer_of
from reports import selectors
from reports.access import check_request
from reports.models import Report
from reports.serializers import ReportInputSerializer, ReportSerializer
from reports.services import report_request
from shop.core.admission import account_holder
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

EXAMPLE = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "kind": "statement",
    "username": "joe",
    "userid": "005",
    "status": "queued",
    "since": "2024-05-01",
    "until": "2024-05-31",
    "created_at": "2024-06-01T08:00:00.000000Z",
    "emailed_at": None,
    "pdf": None,
    "error": "",
}


def _report(request: Request, id: str) -> Report:
    try:
        key = UUID(id)
    except ValueError:
        raise NotFound() from None
    return selectors.report_of(actor_of(request), key)


class ReportListView(APIView):
    """Reports."""

    required = {"GET": needs(P.REPORTS_READ), "POST": needs(P.REPORTS_WRITE)}

    moment_field = "created_at"
    ignores_unknown = True

    @extend_schema(
        operation_id="reports_list",
        summary="List reports, newest first",
        parameters=PAGE_PARAMETERS,
        responses={
            200: OpenApiResponse(
                response=page_schema(ReportSerializer),
            )
        },
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        reports = paginator.paginate_queryset(
            selectors.reports_for(actor_of(request)), request, self
        )
        return paginator.get_paginated_response(ReportSerializer(reports, many=True).data)

    @extend_schema(
        operation_id="reports_create",
        extensions=answers(
            {
                "202": Answer(
                    headers={"Idempotent-Replayed": REPLAYED},
                    links={
                        "the report": ("reports_retrieve", {"id": "$response.body#/id"}),
                        "its PDF": ("reports_pdf", {"id": "$response.body#/id"}),
                    },
                )
            }
        ),
        summary="Request a report",
        description=(
            "A worker renders the PDF and mails it to the account's verified address, once. "
            "`sales`, every customer's purchases, and `customer_statement`, those of one "
            "`customer`, need `reports:write_all`. Without an `Idempotency-Key`, an equal report "
            "that no worker has begun is the same report. PDFs are kept for a limited time."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=ReportInputSerializer,
        responses={
            202: ReportSerializer,
            409: envelope("The account's address is not verified."),
            422: KEY_REUSED,
            429: envelope("Too many of your reports are under way."),
        },
        examples=[
            OpenApiExample(
                "May",
                {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"},
                request_only=True,
            ),
            OpenApiExample("the report", EXAMPLE, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        given = read(ReportInputSerializer, request)
        user = actor_of(request)
        if "customer" in given:
            # Who may not ask does not learn which customers there are.
            check_request(user, given["kind"])
            given["customer"] = customer_of(Caller.of(user), given["customer"])
        report, replayed = report_request(caller_user=user, idempotency_key=key, **given)
        headers = {"Idempotent-Replayed": "true"} if replayed else None
        return Response(ReportSerializer(report).data, status=202, headers=headers)


class ReportView(APIView):
    """One report."""

    required = {"GET": needs(P.REPORTS_READ)}

    @extend_schema(
        operation_id="reports_retrieve",
        summary="Show a report",
        parameters=[OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: ReportSerializer},
        examples=[OpenApiExample("the report", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(ReportSerializer(_report(request, id)).data)


class ReportPDFView(APIView):
    """A report's PDF."""

    required = {"GET": needs(P.REPORTS_READ)}

    @extend_schema(
        operation_id="reports_pdf",
        summary="Download a report",
        description="The whole file or one range of bytes (`Range`), with an `ETag`.",
        parameters=[
            OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH),
            OpenApiParameter(
                "Range",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                examples=[OpenApiExample("the first kilobyte", "bytes=0-1023")],
            ),
        ],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (206, "application/pdf"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The client's copy is current (`If-None-Match`)."),
            409: envelope("The PDF is not ready yet (`not_ready`)."),
            410: envelope("The PDF is no longer kept (`gone`)."),
            412: envelope("The PDF differs from `If-Match`."),
            416: envelope("The range is beyond the end of the PDF."),
        },
    )
    def get(self, request: Request, id: str) -> Any:
        user = actor_of(request)
        return download(request._request, _report(request, id), account_holder(user.pk))
