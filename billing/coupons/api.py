"""The API of coupons, and of purchases with one."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, may_record_for_anyone
from accounts.authentication import actor_of
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.names import same
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.coupons import guessing
from billing.coupons.buying import discounted, purchase_with_coupon
from billing.coupons.models import Coupon
from billing.coupons.redeeming import normal
from billing.coupons.selectors import coupon_of, coupons, redeemed_by_coupon
from billing.coupons.serializers import (
    CouponCheckedSerializer,
    CouponCheckSerializer,
    CouponPurchaseInputSerializer,
    CouponPurchaseSerializer,
    CouponSerializer,
    PurchaseCouponSerializer,
    coupon_data,
)
from billing.coupons.services import coupon_change, coupon_create
from people.idempotency import answer_once
from purchases.routes import purchase_path
from purchases.validation import parse_purchase
from shop.core.bodies import read
from shop.core.errors import FieldError, Forbidden, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, LOCATION, REPLAYED, Answer, answers, envelope

COUPONS = "/api/v1/billing/coupons/"
EXAMPLE = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "code": "SPRING",
    "percent": "10.00",
    "amount": None,
    "currency": None,
    "starts_at": None,
    "ends_at": "2026-06-01T00:00:00.000000Z",
    "max_redemptions": 100,
    "max_per_customer": 1,
    "username": None,
    "minimum": None,
    "items": None,
    "active": True,
    "redeemed": 0,
    "created_at": "2026-05-01T08:00:00.000000Z",
}
_PURCHASE = {
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
    "discount": "119.53",
    "payable": "1075.77",
}
_ID = OpenApiParameter(
    "id", OpenApiTypes.STR, OpenApiParameter.PATH, description="The coupon's id, or its code."
)
_REFUSED = envelope(
    "The coupon is not taken: `coupon_invalid` (unknown, inactive or somebody else's), "
    "`coupon_not_started`, `coupon_expired`, `coupon_exhausted`, `coupon_used`, "
    "`coupon_minimum`, `coupon_currency`, `coupon_not_applicable`. Or nobody can be billed in "
    "the currency (`currency_not_billable`)."
)


def _answer(coupon: Coupon) -> dict[str, Any]:
    return coupon_data(coupon, redeemed_by_coupon([coupon.pk]).get(coupon.pk, 0))


class CouponListView(APIView):
    """Coupons."""

    required = {"GET": needs(P.BILLING_READ_ALL), "POST": needs(P.BILLING_WRITE_ALL)}
    moment_field = "created_at"

    @extend_schema(
        operation_id="coupons_list",
        summary="List coupons, newest first",
        parameters=[
            OpenApiParameter("code", OpenApiTypes.STR, description="The code, in either case."),
            OpenApiParameter("active", OpenApiTypes.BOOL, description="Only active ones, or not."),
            OpenApiParameter("username", OpenApiTypes.STR, description="Those of one customer."),
            *PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(page_schema(CouponSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        found = paginator.paginate_queryset(_filtered(request.query_params), request, self)
        redeemed = redeemed_by_coupon(coupon.pk for coupon in found)
        return paginator.get_paginated_response(
            [coupon_data(coupon, redeemed.get(coupon.pk, 0)) for coupon in found]
        )

    @extend_schema(
        operation_id="coupons_create",
        summary="Make a coupon",
        description=(
            "It takes `percent` off what is left of the lines it applies to, or `amount`. Without "
            "`max_redemptions` and `max_per_customer` there is no limit."
        ),
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers(
            {"201": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION})}
        ),
        request=CouponSerializer,
        responses={
            201: CouponSerializer,
            409: envelope(
                "The code is taken (`code_taken`), or nobody can be billed in the "
                "currency (`currency_not_billable`)."
            ),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "ten percent",
                {"code": "SPRING", "percent": "10.00", "max_redemptions": 100},
                request_only=True,
            ),
            OpenApiExample("the coupon", EXAMPLE, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(CouponSerializer, request)

        def work() -> tuple[int, Any]:
            return 201, _answer(coupon_create(actor=actor_of(request), given=given))

        answer = answer_once(request, work)
        answer["Location"] = f"{COUPONS}{answer.data['id']}/"
        return answer


def _filtered(parameters: Mapping[str, str]) -> Any:
    """Return the coupons that pass the filters. Raise ``ValidationFailed``."""
    found = coupons()
    if "code" in parameters:
        found = found.filter(code=normal(parameters["code"]))
    if "active" in parameters:
        active = {"true": True, "1": True, "false": False, "0": False}.get(parameters["active"])
        if active is None:
            raise ValidationFailed([FieldError("invalid", "Give true or false.", "active")])
        found = found.filter(active=active)
    if "username" in parameters:
        customer = _customer(parameters["username"])
        found = found.filter(customer=customer) if customer else found.none()
    return found


def _customer(username: str) -> User | None:
    if len(username) > USERNAME_MAX_LENGTH:
        return None
    return User.objects.named(username).first()


class CouponView(APIView):
    """One coupon."""

    required = {"GET": needs(P.BILLING_READ_ALL), "PATCH": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="coupons_retrieve",
        summary="Show a coupon",
        parameters=[_ID],
        responses={200: CouponSerializer},
        examples=[OpenApiExample("the coupon", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(_answer(coupon_of(id)))

    @extend_schema(
        operation_id="coupons_change",
        summary="Change a coupon",
        description=(
            "`null` takes a limit away. Code and value stay as they are after the first use, and a "
            "limit is never below what is used."
        ),
        parameters=[_ID],
        request=CouponSerializer(partial=True),
        responses={
            200: CouponSerializer,
            409: envelope(
                "It was redeemed before (`coupon_in_use`), the code is taken "
                "(`code_taken`), or nobody can be billed in the currency "
                "(`currency_not_billable`)."
            ),
        },
    )
    def patch(self, request: Request, id: str) -> Response:
        coupon = coupon_of(id)
        given = read(CouponSerializer, request, partial=True)
        actor = actor_of(request)
        return Response(_answer(coupon_change(actor=actor, id=coupon.pk, given=given)))


class CouponCheckView(APIView):
    """What a coupon takes off; nothing is redeemed."""

    required = {"POST": needs(P.BILLING_READ, P.PURCHASES_WRITE)}

    @extend_schema(
        operation_id="coupons_check",
        summary="Check a coupon",
        description=(
            "What it takes off an amount now, for you or for the customer that you name. Nothing "
            "is redeemed. Too many codes that do not exist are answered `429`."
        ),
        request=CouponCheckSerializer,
        responses={200: CouponCheckedSerializer, 409: _REFUSED},
        examples=[
            OpenApiExample(
                "a book",
                {"code": "SPRING", "amount": "29.97", "currency": "EUR", "item": "book"},
                request_only=True,
            ),
            OpenApiExample(
                "the discount", {"discount": "3.00", "total": "26.97"}, response_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        caller = Caller.of(request.user)
        given = read(CouponCheckSerializer, request)
        with guessing.counted(caller):
            _, discount, total = discounted(
                given["code"],
                customer_id=_checked_for(caller, given.get("username")),
                item=given.get("item", ""),
                quantity=1,
                unit=given["amount"],
                currency=given["currency"],
            )
        return Response({"discount": f"{discount:.2f}", "total": f"{total:.2f}"})


def _checked_for(caller: Caller, username: str | None) -> int:
    """Return the id of the customer. Raise ``Forbidden`` or ``ValidationFailed``."""
    if username is None or same(username, caller.username):
        return caller.id
    if not may_record_for_anyone(caller):
        detail = "You may check coupons for yourself only."
        raise Forbidden(detail, attr="username", accepted=P.PURCHASES_WRITE_ALL.code)
    customer = _customer(username)
    if customer is None:
        detail = "There is no such customer."
        raise ValidationFailed([FieldError("unknown_customer", detail, "username")])
    return int(customer.pk)


class CouponPurchaseView(APIView):
    """Purchases with a coupon."""

    required = {"POST": needs(P.PURCHASES_WRITE)}

    @extend_schema(
        operation_id="billing_purchases_record",
        summary="Record a purchase with a coupon",
        description=(
            "As `POST /api/v1/purchases/`, with the same purchase. The ledger keeps the list "
            "price, and the purchase's invoice shows the discount. Purchase and redemption are "
            "recorded together or not at all; a repeat redeems nothing. `Idempotency-Key`s are of "
            "this route. Too many codes that do not exist are answered `429`."
        ),
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers(
            {
                "200": Answer(headers={"Idempotent-Replayed": REPLAYED}),
                "201": Answer(headers={"Location": LOCATION}),
            }
        ),
        request=CouponPurchaseInputSerializer,
        responses={
            201: CouponPurchaseSerializer,
            200: OpenApiResponse(
                CouponPurchaseSerializer, description="It was recorded before, with this coupon."
            ),
            409: envelope(
                f"{_REFUSED.description} Or the same purchase was recorded before "
                "without this coupon (`recorded_without_coupon`), or the userid belongs to another "
                "username."
            ),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "a book",
                {"purchase": {"item": "book", "price": "1195.30"}, "coupon": "SPRING"},
                request_only=True,
            ),
            OpenApiExample("the purchase", _PURCHASE, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        caller = Caller.of(request.user)
        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        given = read(PurchaseCouponSerializer, request)
        purchase = parse_purchase(given["purchase"], now=timezone.now())
        with guessing.counted(caller):
            bought = purchase_with_coupon(
                caller=caller, purchase=purchase, code=given["coupon"], idempotency_key=key
            )
        if bought.recorded.replayed:
            return Response(bought.data(), headers={"Idempotent-Replayed": "true"})
        location = purchase_path(bought.recorded.purchase["id"])
        return Response(bought.data(), status=201, headers={"Location": location})
