"""The original service's routes: same accounts, same rules, its own field names."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.rules import needs
from purchases import exports, formats, selectors
from purchases.representation import PurchaseData
from purchases.serializers import ClassicListSerializer, ClassicPurchaseSerializer
from purchases.services import record_purchase
from purchases.validation import REFUSED, parse_purchase
from shop.core.errors import ApplicationError, Dialect, error_body
from shop.core.idempotency import parse_idempotency_key
from shop.core.merged import Merged
from shop.core.paths import CLASSIC_PREFIX
from shop.core.schema import ERRORS, REPLAYED, Answer, answers

FIELDS = ("username", "userid", "price", "timestamp")
_READ = (*FIELDS, *REFUSED)


def classic_purchase(data: Any) -> Any:
    """Return only the fields that the original service knew, and those that are refused."""
    if not isinstance(data, Mapping):
        return data
    return {name: data[name] for name in _READ if name in data}


def classic_recorded(purchase: PurchaseData) -> dict[str, str]:
    """Return the original service's answer to a recorded purchase."""
    return {
        "status": "Ok!",
        "message": "Purchase successfully recorded!",
        "_id": purchase["id"],
    }


def classic_error(error: ApplicationError) -> dict[str, Any]:
    """Return an error in the shape of the original service."""
    body = error_body(error)
    return {"status": "Error", "message": error.errors[0].detail, "errors": body["errors"]}


_ROUTES = re.compile(rf"(?:{CLASSIC_PREFIX})?/(?:buy|getAllUserBuys|buyList)(?:/|$)")
DIALECT = Dialect(
    owns=lambda path: _ROUTES.match(path) is not None,
    body=classic_error,
    name="OriginalError",
    schema={
        "type": "object",
        "required": ["status", "message", "errors"],
        "properties": {
            "status": {"type": "string", "enum": ["Error"]},
            "message": {"type": "string"},
            "errors": ERRORS,
        },
    },
)


class ClassicView(APIView):
    """A view whose errors have the original service's shape."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if "status" not in response.data and "errors" in response.data:
            errors = response.data["errors"]
            response.data = {
                "status": "Error",
                "message": errors[0]["detail"],
                "errors": errors,
            }
        return response


class BuyView(ClassicView):
    """Record one purchase."""

    required = {"POST": needs(P.PURCHASES_WRITE)}

    @extend_schema(
        operation_id="buy",
        summary="Record a purchase (original route)",
        tags=["original routes"],
        extensions=answers(
            {
                "200": Answer(
                    headers={"Idempotent-Replayed": REPLAYED},
                    links={
                        "the purchase": ("purchases_retrieve", {"id": "$response.body#/_id"}),
                    },
                )
            }
        ),
        request=ClassicPurchaseSerializer,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 255},
                OpenApiParameter.HEADER,
                description="As at `POST /api/v1/purchases/`.",
            )
        ],
        responses={
            200: OpenApiResponse(
                response={
                    "type": "object",
                    "required": ["status", "message", "_id"],
                    "properties": {
                        "status": {"type": "string"},
                        "message": {"type": "string"},
                        "_id": {"type": "string", "format": "uuid"},
                    },
                },
                examples=[
                    OpenApiExample(
                        "recorded",
                        {
                            "status": "Ok!",
                            "message": "Purchase successfully recorded!",
                            "_id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
                        },
                    )
                ],
            ),
            **{
                status: OpenApiResponse(
                    {"$ref": "#/components/schemas/OriginalError"}, description=meaning
                )
                for status, meaning in (
                    (409, "The userid belongs to another username."),
                    (422, "The Idempotency-Key was used before with another body."),
                )
            },
        },
    )
    def post(self, request: Request) -> Response:
        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        purchase = parse_purchase(classic_purchase(request.data), now=timezone.now())
        recorded = record_purchase(
            caller=Caller.of(request.user), purchase=purchase, idempotency_key=key
        )
        headers = {"Idempotent-Replayed": "true"} if recorded.replayed else None
        return Response(classic_recorded(recorded.purchase), headers=headers)


class _ListView(ClassicView):
    required = {"GET": needs(P.PURCHASES_READ)}

    def list(self, request: Request, username: str, head: dict[str, Any]) -> HttpResponseBase:
        caller = Caller.of(request.user)
        purchases = Merged(selectors.purchases_of(caller, username))
        # The exporter writes the purchases into this object, so the last brace is cut off.
        format = formats.original(msgspec.json.encode(head)[:-1])
        return exports.answer(request._request, purchases, format, caller=caller)


class GetAllUserBuysView(_ListView):
    """List all purchases of a customer, oldest first."""

    @extend_schema(
        operation_id="getAllUserBuys",
        summary="List all purchases of a customer (original route)",
        tags=["original routes"],
        responses={200: ClassicListSerializer},
    )
    def get(self, request: Request, username: str) -> HttpResponseBase:
        return self.list(request, username, {"username": username})


class BuyListView(_ListView):
    """List all purchases of a customer, oldest first."""

    @extend_schema(
        operation_id="buyList",
        summary="List all purchases of a customer, with a status (original route)",
        tags=["original routes"],
        responses={200: ClassicListSerializer},
    )
    def get(self, request: Request, username: str) -> HttpResponseBase:
        return self.list(request, username, {"status": "Ok!"})
