"""The API of leads for the people of a company."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from quizzes.answering.models import Result
from quizzes.authoring.selectors import quiz_for
from quizzes.companies.access import Role, company_for, parse_id
from quizzes.leads.acts import lead_erase, leads_exported
from quizzes.leads.exports import FORMATS, leads_export
from quizzes.leads.respondents import paper_download
from quizzes.leads.selectors import STATES, lead_data, lead_detail, lead_of, leads_of
from quizzes.leads.serializers import (
    ErasureStartedSerializer,
    LeadDetailSerializer,
    LeadSerializer,
)
from shop.core.admission import account_holder
from shop.core.errors import NotFound
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import envelope

READ, WRITE = needs(P.QUIZZES_READ), needs(P.QUIZZES_WRITE)
_COMPANY = OpenApiParameter("company", OpenApiTypes.STR, OpenApiParameter.PATH)
_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_RESULT = OpenApiParameter("result", OpenApiTypes.UUID, OpenApiParameter.PATH)
_ALL = OpenApiParameter(
    "all", OpenApiTypes.STR, enum=["1"], description="Those that are not confirmed, too."
)


class LeadListView(APIView):
    """The leads of a company."""

    required = {"GET": READ}
    moment_field = "created_at"

    @extend_schema(
        operation_id="leads_list",
        summary="List the leads of a company, newest first",
        parameters=[
            _COMPANY,
            OpenApiParameter("email", description="A whole address; parts find nothing."),
            OpenApiParameter("state", enum=list(STATES)),
            *PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(page_schema(LeadSerializer))},
    )
    def get(self, request: Request, company: str) -> Response:
        found = leads_of(
            company_for(request.user, company),
            state=request.query_params.get("state", ""),
            email=request.query_params.get("email", ""),
        )
        paginator = KeysetPagination()
        page = paginator.paginate_queryset(found, request, self)
        return paginator.get_paginated_response([lead_data(lead) for lead in page])


class LeadView(APIView):
    """One lead."""

    required = {"GET": READ, "DELETE": WRITE}

    @extend_schema(
        operation_id="leads_lead",
        summary="Show a lead, with its results and consents",
        parameters=[_COMPANY, _ID],
        responses={200: LeadDetailSerializer},
    )
    def get(self, request: Request, company: str, id: str) -> Response:
        return Response(lead_detail(lead_of(company_for(request.user, company), id)))

    @extend_schema(
        operation_id="leads_erase",
        summary="Erase a lead",
        description=(
            "Address, name, written answers and files go, and the figures stay. It is done when "
            "GET answers 404. Only owners may."
        ),
        parameters=[_COMPANY, _ID],
        responses={202: ErasureStartedSerializer},
    )
    def delete(self, request: Request, company: str, id: str) -> Response:
        lead = lead_of(company_for(request.user, company, Role.OWNER), id)
        return Response({"erasure": lead_erase(actor=actor_of(request), lead=lead)}, status=202)


class _ExportView(APIView):
    """All leads of a company as a file."""

    required = {"GET": READ}
    format = ""

    def get(self, request: Request, company: str) -> Any:
        found = company_for(request.user, company)
        user = actor_of(request)
        everybody = request.query_params.get("all") == "1"
        if request.method != "HEAD":
            leads_exported(actor=user, company=found, format=self.format, everybody=everybody)
        return leads_export(
            request._request,
            found,
            format=self.format,
            everybody=everybody,
            holder=account_holder(user.pk),
        )


def _export(format: str) -> Any:
    return extend_schema(
        operation_id=f"leads_export_{format}",
        summary=f"Export the leads of a company as {format.upper()}",
        description=(
            "A row for each result that a lead left its address for, and a column for each "
            "question of any version. Each export is recorded in the audit."
        ),
        parameters=[_COMPANY, _ALL],
        responses={(200, FORMATS[format](()).content_type.split(";")[0]): OpenApiTypes.STR},
    )


@extend_schema_view(get=_export("csv"))
class LeadsCsvView(_ExportView):
    """CSV, without formulas."""

    format = "csv"


@extend_schema_view(get=_export("xlsx"))
class LeadsXlsxView(_ExportView):
    """A workbook, without formulas and links."""

    format = "xlsx"


@extend_schema_view(get=_export("jsonl"))
class LeadsJsonlView(_ExportView):
    """A JSON object a line."""

    format = "jsonl"


class CompanyResultPdfView(APIView):
    """The PDF of a result, for the people of the company."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quiz_result_pdf",
        summary="Download a result of a quiz as PDF",
        description="A worker renders it when somebody first asks for it.",
        parameters=[_COMPANY, _ID, _RESULT],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            409: envelope("`not_ready`: ask again shortly."),
        },
    )
    def get(self, request: Request, company: str, id: str, result: str) -> Any:
        quiz = quiz_for(request.user, company, id)
        if not Result.objects.filter(pk=parse_id(result), quiz=quiz).exists():
            raise NotFound()
        holder = account_holder(actor_of(request).pk)
        return paper_download(request, parse_id(result), holder)
