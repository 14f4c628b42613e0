"""The API of permissions and roles."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from accounts.wording import WORDS
from people import roles, selectors
from people.idempotency import answer_once
from people.serializers import (
    PermissionSerializer,
    RoleChangeSerializer,
    RoleSerializer,
    permission_data,
    role_data,
)
from shop.core.bodies import read
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import one_page, page_schema
from shop.core.schema import KEY_REUSED, MADE_ONCE, envelope

_ADMIN = needs(P.ACCOUNTS_ADMIN)
_BUILTIN = envelope("The role is built in (`builtin`).")


class PermissionListView(APIView):
    """The catalogue of permissions."""

    required = {"GET": _ADMIN}

    @extend_schema(
        operation_id="permissions_list",
        tags=["people"],
        summary="List all permissions",
        responses={200: OpenApiResponse(page_schema(PermissionSerializer))},
    )
    def get(self, request: Request) -> Response:
        return one_page(
            [PermissionSerializer(permission_data(each, str(WORDS[each]))).data for each in P]
        )


class RoleListView(APIView):
    """Roles."""

    required = {"GET": _ADMIN, "POST": _ADMIN}

    @extend_schema(
        operation_id="roles_list",
        tags=["people"],
        summary="List the roles, the built-in ones first",
        responses={200: OpenApiResponse(page_schema(RoleSerializer))},
    )
    def get(self, request: Request) -> Response:
        return one_page([role_data(role) for role in selectors.roles()])

    @extend_schema(
        operation_id="roles_create",
        tags=["people"],
        summary="Make a role",
        description="You need every permission that you put into it.",
        parameters=[IDEMPOTENCY_KEY],
        extensions=MADE_ONCE,
        request=RoleSerializer,
        responses={201: RoleSerializer, 409: _BUILTIN, 422: KEY_REUSED},
        examples=[
            OpenApiExample(
                "the shelves",
                {"code": "shelves", "name": "Shelves", "permissions": ["purchases:read_all"]},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(RoleSerializer, request)

        def work() -> tuple[int, Any]:
            role = roles.role_create(actor=actor_of(request), **given)
            return 201, role_data(selectors.role_of(role.code))

        return answer_once(request, work)


class RoleView(APIView):
    """One role."""

    required = {"GET": _ADMIN, "PATCH": _ADMIN, "DELETE": _ADMIN}

    @extend_schema(
        operation_id="roles_retrieve",
        tags=["people"],
        summary="Show a role",
        responses={200: RoleSerializer},
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(role_data(selectors.role_of(code)))

    @extend_schema(
        operation_id="roles_change",
        tags=["people"],
        summary="Change a role, and what everybody who has it may do",
        request=RoleChangeSerializer,
        responses={200: RoleSerializer, 409: _BUILTIN},
    )
    def patch(self, request: Request, code: str) -> Response:
        given = read(RoleChangeSerializer, request)
        roles.role_change(actor=actor_of(request), code=code, **given)
        return Response(role_data(selectors.role_of(code)))

    @extend_schema(
        operation_id="roles_delete",
        tags=["people"],
        summary="Delete a role that nobody has",
        responses={
            204: None,
            409: envelope("It is built in (`builtin`), or somebody has it (`in_use`)."),
        },
    )
    def delete(self, request: Request, code: str) -> Response:
        roles.role_delete(actor=actor_of(request), code=code)
        return Response(status=204)
