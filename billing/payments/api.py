"""The API of payments, refunds and chargebacks."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.payments import selectors
from billing.payments.chargebacks import chargeback_close, chargeback_open
from billing.payments.models import Payment
from billing.payments.paying import payment_action, payment_begin, payment_book
from billing.payments.refunds import refund_fail, refund_request
from billing.payments.serializers import (
    BookSerializer,
    ChargebackRequestSerializer,
    ChargebackSerializer,
    PayAnswerSerializer,
    PaymentSerializer,
    PaySerializer,
    RefundFailedSerializer,
    RefundRequestSerializer,
    RefundSerializer,
    chargeback_data,
    payment_data,
    refund_data,
)
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_REPLAYED = Answer(headers={"Idempotent-Replayed": REPLAYED})
_DATA: dict[str, Callable[[Any], dict[str, Any]]] = {
    "payments": payment_data,
    "refunds": refund_data,
    "chargebacks": chargeback_data,
}
_FILTERS = [
    OpenApiParameter("status", OpenApiTypes.STR),
    OpenApiParameter("invoice", OpenApiTypes.UUID),
    OpenApiParameter("username", OpenApiTypes.STR, description="One customer only."),
]


def _shown(request: Request, kind: str, id: Any) -> dict[str, Any]:
    return _DATA[kind](selectors.movement_of(actor_of(request), kind, id))


def _replayed(response: Response, status: int) -> Response:
    """Mark an answer of this status as one that was given before."""
    if response.status_code == status:
        response["Idempotent-Replayed"] = "true"
    return response


class PayView(APIView):
    """The payment of an invoice, by who owes it."""

    required = {"POST": needs(P.BILLING_WRITE)}

    @extend_schema(
        operation_id="invoices_pay",
        summary="Pay an invoice",
        description=(
            "The answer says what to do: transfer money under a reference, or go to the page of "
            "the provider. An invoice has one open payment, and the same again is that one "
            "(`200`). Another provider or amount replaces it."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED, "201": _REPLAYED}),
        request=PaySerializer,
        responses={
            200: PayAnswerSerializer,
            201: PayAnswerSerializer,
            409: envelope(
                "Nothing is due (`nothing_due`), the invoice is a draft (`not_issued`), or the "
                "provider refuses it (`provider_refused`)."
            ),
            422: KEY_REUSED,
        },
        examples=[OpenApiExample("by bank", {"provider": "bank"}, request_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        invoice = selectors.invoice_to_pay(actor_of(request), id)
        given = read(PaySerializer, request)

        def work() -> tuple[int, Any]:
            payment, is_new = payment_begin(actor=actor_of(request), document=invoice, **given)
            return 201 if is_new else 200, {"payment": str(payment.pk)}

        # The provider is asked afterwards, because nothing slow is done inside the transaction.
        response = answer_once(request, work)
        payment = Payment.objects.get(pk=response.data["payment"])
        response.data = {**response.data, "action": payment_action(payment)}
        return _replayed(response, 200)


class BookView(APIView):
    """Money that came by bank or cash, for an invoice."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="invoices_payments_create",
        summary="Book a payment by bank or cash",
        description=(
            "More than is due is booked and shows as `overpaid`. The same `reference` again is the "
            "same payment (`200`)."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED, "201": _REPLAYED}),
        request=BookSerializer,
        responses={
            200: PaymentSerializer,
            201: PaymentSerializer,
            409: envelope(
                "The reference was booked with another amount or day (`reference_used`), or "
                "the invoice is a draft (`not_issued`)."
            ),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "a transfer",
                {"amount": "26.97", "paid_on": "2026-05-04", "reference": "RF19INV2026000123"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, id: str) -> Response:
        invoice = selectors.invoice_to_pay(actor_of(request), id)
        given = read(BookSerializer, request)

        def work() -> tuple[int, Any]:
            payment, is_new = payment_book(actor=actor_of(request), document=invoice, **given)
            return 201 if is_new else 200, _shown(request, "payments", payment.pk)

        return _replayed(answer_once(request, work), 200)


class _MovementListView(APIView):
    required = {"GET": needs(P.BILLING_READ)}
    kind = ""

    def listed(self, request: Request) -> Response:
        """Return a page of the kind."""
        rows = selectors.movements_for(actor_of(request), self.kind, request.query_params.dict())
        paginator = KeysetPagination()
        page = paginator.paginate_keys([rows], request)
        return paginator.get_paginated_response([_DATA[self.kind](row) for row in page])


class PaymentListView(_MovementListView):
    """Payments."""

    kind = "payments"

    @extend_schema(
        operation_id="payments_list",
        summary="List payments, newest first",
        parameters=[*_FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(PaymentSerializer))},
    )
    def get(self, request: Request) -> Response:
        return self.listed(request)


class RefundListView(_MovementListView):
    """Refunds."""

    kind = "refunds"

    @extend_schema(
        operation_id="refunds_list",
        summary="List refunds, newest first",
        parameters=[*_FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(RefundSerializer))},
    )
    def get(self, request: Request) -> Response:
        return self.listed(request)


class ChargebackListView(_MovementListView):
    """Chargebacks."""

    kind = "chargebacks"

    @extend_schema(
        operation_id="chargebacks_list",
        summary="List chargebacks, newest first",
        parameters=[*_FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(ChargebackSerializer))},
    )
    def get(self, request: Request) -> Response:
        return self.listed(request)


class PaymentView(APIView):
    """One payment."""

    required = {"GET": needs(P.BILLING_READ)}

    @extend_schema(
        operation_id="payments_retrieve",
        summary="Show a payment",
        parameters=[_ID],
        responses={200: PaymentSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(request, "payments", id))


class RefundView(APIView):
    """One refund."""

    required = {"GET": needs(P.BILLING_READ)}

    @extend_schema(
        operation_id="refunds_retrieve",
        summary="Show a refund",
        parameters=[_ID],
        responses={200: RefundSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(request, "refunds", id))


class ChargebackView(APIView):
    """One chargeback."""

    required = {"GET": needs(P.BILLING_READ)}

    @extend_schema(
        operation_id="chargebacks_retrieve",
        summary="Show a chargeback",
        parameters=[_ID],
        responses={200: ChargebackSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(request, "chargebacks", id))


class RefundRequestView(APIView):
    """A refund of a payment."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="payments_refunds_create",
        summary="Ask for money to be sent back",
        description=(
            "A worker sends it. `submitted` waits for the provider, and `unknown` says that no "
            "answer came; the shop asks again until it knows. A refund of a transfer or of cash "
            "has succeeded at once, because whoever asks for it pays it out."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"202": _REPLAYED}),
        request=RefundRequestSerializer,
        responses={
            202: RefundSerializer,
            409: envelope(
                "More than is overpaid (`exceeds_overpaid`: credit first) or left of the "
                "payment (`exceeds_payment`), or it is in an open dispute (`disputed`)."
            ),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "a part", {"amount": "5.00", "reason": "One was broken."}, request_only=True
            )
        ],
    )
    def post(self, request: Request, id: str) -> Response:
        payment = selectors.movement_of(actor_of(request), "payments", id)
        given = read(RefundRequestSerializer, request)

        def work() -> tuple[int, Any]:
            refund = refund_request(actor=actor_of(request), payment=payment, **given)
            return 202, _shown(request, "refunds", refund.pk)

        return answer_once(request, work)


class RefundFailedView(APIView):
    """The news that a refund by hand did not arrive."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="refunds_failed",
        summary="Book that a refund of a transfer or of cash did not arrive",
        description="The money is the shop's again, and overpaid. Again it changes nothing.",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED}),
        request=RefundFailedSerializer,
        responses={
            200: RefundSerializer,
            409: envelope("The provider tells of it itself (`provider_decides`)."),
            422: KEY_REUSED,
        },
        examples=[OpenApiExample("sent back", {"reason": "Account closed."}, request_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        refund = selectors.movement_of(actor_of(request), "refunds", id)
        given = read(RefundFailedSerializer, request)

        def work() -> tuple[int, Any]:
            refund_fail(actor=actor_of(request), refund=refund, **given)
            return 200, _shown(request, "refunds", refund.pk)

        return answer_once(request, work)


class ChargebackOpenView(APIView):
    """A chargeback of a payment."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="payments_chargebacks_create",
        summary="Book that a bank takes a payment back",
        description="The same `reference` again is the same chargeback (`200`).",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED, "201": _REPLAYED}),
        request=ChargebackRequestSerializer,
        responses={
            200: ChargebackSerializer,
            201: ChargebackSerializer,
            409: envelope(
                "More than is left of the payment (`exceeds_payment`), or the provider tells "
                "of its disputes itself (`provider_decides`)."
            ),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        payment = selectors.movement_of(actor_of(request), "payments", id)
        given = read(ChargebackRequestSerializer, request)

        def work() -> tuple[int, Any]:
            chargeback, is_new = chargeback_open(actor=actor_of(request), payment=payment, **given)
            return 201 if is_new else 200, _shown(request, "chargebacks", chargeback.pk)

        return _replayed(answer_once(request, work), 200)


class _VerdictView(APIView):
    required = {"POST": needs(P.BILLING_WRITE_ALL)}
    verdict = ""

    def close(self, request: Request, id: str) -> Response:
        """Book the verdict."""
        chargeback = selectors.movement_of(actor_of(request), "chargebacks", id)

        def work() -> tuple[int, Any]:
            chargeback_close(actor=actor_of(request), chargeback=chargeback, verdict=self.verdict)
            return 200, _shown(request, "chargebacks", chargeback.pk)

        return answer_once(request, work)


_CLOSED = envelope("It has the other verdict (`closed`), or the provider's (`provider_decides`).")


class WonView(_VerdictView):
    """The verdict for the shop."""

    verdict = "won"

    @extend_schema(
        operation_id="chargebacks_won",
        summary="Book that a chargeback is won: the money is the shop's again",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED}),
        request=None,
        responses={200: ChargebackSerializer, 409: _CLOSED},
    )
    def post(self, request: Request, id: str) -> Response:
        return self.close(request, id)


class LostView(_VerdictView):
    """The verdict against the shop."""

    verdict = "lost"

    @extend_schema(
        operation_id="chargebacks_lost",
        summary="Book that a chargeback is lost: the money stays away",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED}),
        request=None,
        responses={200: ChargebackSerializer, 409: _CLOSED},
    )
    def post(self, request: Request, id: str) -> Response:
        return self.close(request, id)
