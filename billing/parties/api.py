"""The API of profiles: who an account's next invoices are made out to."""

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

from accounts.authentication import actor_of
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.parties.profiles import account_of, profile_of, profile_set
from billing.parties.serializers import ProfileSerializer, profile_data
from shop.core.bodies import read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.schema import envelope

_UNKNOWN = envelope("There is no such account for you.")
_WHOSE = [
    OpenApiParameter("username", OpenApiTypes.STR, description="Whose profile; else your own."),
    OpenApiParameter("userid", OpenApiTypes.STR),
]
PROFILE = {
    "username": "joe",
    "userid": "005",
    "name": "Joe Ltd",
    "address": "Short Street 2\n10117 Berlin",
    "country": "DE",
    "vat_id": "DE136695976",
    "vat_check": "unchecked",
    "vat_checked_at": None,
}


class ProfileView(APIView):
    """The profile of an account."""

    required = {"GET": needs(P.BILLING_READ), "PUT": needs(P.BILLING_WRITE)}

    def _account(self, request: Request, given: Any, *, change: bool) -> User:
        return account_of(
            actor_of(request),
            username=given.get("username", "").strip(),
            userid=given.get("userid", "").strip(),
            change=change,
        )

    @extend_schema(
        operation_id="billing_profile_retrieve",
        tags=["billing"],
        summary="Show who invoices are made out to",
        description="Somebody else's needs `billing:read_all`.",
        parameters=_WHOSE,
        responses={200: ProfileSerializer, 404: _UNKNOWN},
        examples=[OpenApiExample("the profile", PROFILE)],
    )
    def get(self, request: Request) -> Response:
        account = self._account(request, request.query_params, change=False)
        return Response(profile_data(account, profile_of(account)))

    @extend_schema(
        operation_id="billing_profile_set",
        tags=["billing"],
        summary="Say who the next invoices are made out to",
        description=(
            "The whole profile; what is left out becomes empty. Somebody else's needs "
            "`billing:write_all`. A malformed `vat_id` is refused. The EU's register is asked "
            "about it later, and `vat_check` says what it answered."
        ),
        request=ProfileSerializer,
        responses={
            200: ProfileSerializer,
            404: _UNKNOWN,
        },
        examples=[
            OpenApiExample(
                "a company",
                {name: PROFILE[name] for name in ("name", "address", "country", "vat_id")},
                request_only=True,
            ),
            OpenApiExample("the profile", PROFILE, response_only=True),
        ],
    )
    def put(self, request: Request) -> Response:
        if not request._request.body:
            raise ValidationFailed([FieldError("required", "Give the profile as an object.")])
        given = read(ProfileSerializer, request)
        account = self._account(request, given, change=True)
        given.pop("username", None)
        given.pop("userid", None)
        profile = profile_set(actor=actor_of(request), account=account, **given)
        return Response(profile_data(account, profile))
