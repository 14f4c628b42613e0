"""The API of companies: their brand and their people."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from people.idempotency import answer_once
from people.selectors import account_of
from quizzes.companies import services
from quizzes.companies.access import Role, companies_for, company_for, members_of, role_of
from quizzes.companies.selectors import roles_of
from quizzes.companies.serializers import (
    BrandSerializer,
    CompanyInputSerializer,
    CompanyMemberInputSerializer,
    CompanyMemberSerializer,
    CompanySerializer,
    brand_data,
    company_data,
    member_data,
)
from shop.core.bodies import read
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, ByKey, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, MADE_ONCE, envelope

READ, WRITE = needs(P.QUIZZES_READ), needs(P.QUIZZES_WRITE)
COMPANY = OpenApiParameter("company", OpenApiTypes.STR, OpenApiParameter.PATH)
_USERID = OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)
_OWNERS = envelope(
    "Nobody would own it (`last_owner`), or it has no people of its own (`no_team`)."
)


class CompanyListView(APIView):
    """Companies."""

    required = {"GET": READ, "POST": WRITE}
    moment_field = "created_at"

    @extend_schema(
        operation_id="companies_list",
        summary="List your companies, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema(CompanySerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        user = actor_of(request)
        found = paginator.paginate_queryset(companies_for(user), request, self)
        return paginator.get_paginated_response(
            [company_data(each, role_of(user, each)) for each in found]
        )

    @extend_schema(
        operation_id="companies_create",
        summary="Make a company, which you own",
        description="Its people are the members of its team.",
        parameters=[IDEMPOTENCY_KEY],
        extensions=MADE_ONCE,
        request=CompanyInputSerializer,
        responses={
            201: CompanySerializer,
            409: envelope("The slug is taken (`slug_taken`)."),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "a roastery", {"slug": "roastery", "name": "The Roastery"}, request_only=True
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(CompanyInputSerializer, request)

        def work() -> tuple[int, Any]:
            user = actor_of(request)
            company = services.company_create(actor=user, **given)
            return 201, company_data(company, Role.OWNER.value)

        answer = answer_once(request, work)
        answer["Location"] = f"{request.path}{answer.data['slug']}/brand/"
        return answer


class BrandView(APIView):
    """The brand of a company."""

    required = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="companies_brand",
        summary="Show how a company looks",
        parameters=[COMPANY],
        responses={200: BrandSerializer},
    )
    def get(self, request: Request, company: str) -> Response:
        return Response(brand_data(company_for(request.user, company)))

    @extend_schema(
        operation_id="companies_brand_change",
        summary="Replace how a company looks",
        description="A colour whose contrast on white is below 4.5 is refused (`contrast`).",
        parameters=[COMPANY],
        request=BrandSerializer,
        responses={200: BrandSerializer},
        examples=[
            OpenApiExample(
                "green", {"color": "#1f5c4d", "privacy_url": "https://shop.example/privacy"}
            )
        ],
    )
    def put(self, request: Request, company: str) -> Response:
        found = company_for(request.user, company, Role.OWNER)
        given = read(BrandSerializer, request)
        services.brand_change(actor=actor_of(request), company=found, given=given)
        return Response(brand_data(found))


class CompanyMemberListView(APIView):
    """The people of a company."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="companies_members",
        summary="List the people of a company, newest first",
        parameters=[COMPANY, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(CompanyMemberSerializer))},
    )
    def get(self, request: Request, company: str) -> Response:
        paginator = ByKey()
        members = members_of(company_for(request.user, company))
        found = paginator.paginate_queryset(members, request, self)
        roles = roles_of(found)
        return paginator.get_paginated_response(
            [member_data(each, roles[each.pk]) for each in found]
        )


class CompanyMemberView(APIView):
    """One of the people of a company."""

    required = {"PUT": WRITE, "DELETE": WRITE}

    @extend_schema(
        operation_id="companies_members_put",
        summary="Give somebody a role in a company",
        parameters=[COMPANY, _USERID],
        request=CompanyMemberInputSerializer,
        responses={200: CompanyMemberSerializer, 409: _OWNERS},
    )
    def put(self, request: Request, company: str, userid: str) -> Response:
        found = company_for(request.user, company, Role.OWNER)
        role = read(CompanyMemberInputSerializer, request)["role"]
        account = account_of(userid)
        services.member_put(actor=actor_of(request), company=found, account=account, role=role)
        return Response({"username": account.username, "userid": account.userid, "role": role})

    @extend_schema(
        operation_id="companies_members_remove",
        summary="Take somebody out of a company",
        parameters=[COMPANY, _USERID],
        responses={204: None, 409: _OWNERS},
    )
    def delete(self, request: Request, company: str, userid: str) -> Response:
        found = company_for(request.user, company, Role.OWNER)
        account = account_of(userid)
        services.member_remove(actor=actor_of(request), company=found, account=account)
        return Response(status=204)
