"""The API of accounts."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import AccountListView as SignUpView
from accounts.authentication import actor_of
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.permissions import Permission as P
from accounts.rules import OPEN, needs
from people import selectors, services
from people.serializers import PersonChangeSerializer, PersonSerializer, person_data
from shop.core.bodies import read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.pagination import PAGE_PARAMETERS, ByKey, one_page, page_schema
from shop.core.schema import envelope
from shop.core.text import printable

_ADMIN = needs(P.ACCOUNTS_ADMIN)
_USERID = OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)
_LAST = envelope("No active account would have `accounts:admin` any more (`last_admin`).")


class AccountListView(SignUpView):
    """Accounts, for whoever may read them; and sign-up."""

    required = {"GET": needs(P.ACCOUNTS_READ_ALL), "POST": OPEN}

    def get_authenticators(self) -> list[Any]:
        """Nobody is signed in yet who signs up."""
        if self.request is not None and self.request.method == "POST":
            return []
        return [each() for each in APIView.authentication_classes]

    def get_throttles(self) -> list[Any]:
        return super().get_throttles() if self.request.method == "POST" else []

    @extend_schema(
        operation_id="accounts_list",
        tags=["people"],
        summary="List accounts, newest first",
        parameters=[
            OpenApiParameter(
                "search",
                OpenApiTypes.STR,
                description=(
                    "The beginning of a name, a userid or an address. The answer is one page."
                ),
            ),
            *PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(page_schema(PersonSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = ByKey()
        if text := request.query_params.get("search", "").strip():
            if len(text) > USERNAME_MAX_LENGTH or not printable(text):
                detail = f"Give at most {USERNAME_MAX_LENGTH} printable characters."
                raise ValidationFailed([FieldError("invalid", detail, "search")])
            size = paginator.page_size(request.query_params.get("page_size"))
            return one_page(_people(selectors.accounts_named(text, size)))
        found = paginator.paginate_queryset(selectors.accounts(), request, self)
        return paginator.get_paginated_response(_people(found))


class AccountView(APIView):
    """One account."""

    required = {"GET": needs(P.ACCOUNTS_READ_ALL), "PATCH": _ADMIN}

    @extend_schema(
        operation_id="accounts_retrieve",
        tags=["people"],
        summary="Show an account",
        parameters=[_USERID],
        responses={200: PersonSerializer},
    )
    def get(self, request: Request, userid: str) -> Response:
        return Response(_people([selectors.account_of(userid)])[0])

    @extend_schema(
        operation_id="accounts_change",
        tags=["people"],
        summary="Close or open an account, or give it roles",
        description=(
            "`roles` are all that it has besides its own and those of its teams. All credentials "
            "of a closed account end. Nobody changes an account that has a permission "
            "that they lack."
        ),
        parameters=[_USERID],
        request=PersonChangeSerializer,
        responses={200: PersonSerializer, 409: _LAST},
        examples=[OpenApiExample("finance", {"roles": ["finance"]}, request_only=True)],
    )
    def patch(self, request: Request, userid: str) -> Response:
        given = read(PersonChangeSerializer, request)
        account = selectors.account_of(userid)
        changed = services.account_change(actor=actor_of(request), account_id=account.pk, **given)
        return Response(_people([changed])[0])


def _people(found: list[User]) -> list[Any]:
    people = [person_data(each) for each in selectors.people_of(found)]
    return list(PersonSerializer(people, many=True).data)
