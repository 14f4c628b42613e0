"""The API of credit notes and voids. Lists of them are in :mod:`billing.invoices.api`."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.credits.serializers import CreditedSerializer, CreditSerializer, VoidSerializer
from billing.credits.services import credit_note_create, invoice_void
from billing.credits.shares import Asked
from billing.invoices.api import ID
from billing.invoices.models import Document, Draft
from billing.invoices.representation import credit_note_data
from billing.invoices.selectors import invoice_of
from billing.invoices.serializers import CreditNoteSerializer
from billing.payments.errors import NotIssued
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.schema import KEY_REUSED, LOCATION, MADE_ONCE, REPLAYED, Answer, answers, envelope

_HEADERS = answers(
    {
        "200": Answer(headers={"Idempotent-Replayed": REPLAYED}),
        "201": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION}),
    }
)


def _invoice(request: Request, id: str) -> Document:
    """Return the invoice to correct. Raise ``NotFound``, and ``NotIssued`` for a draft."""
    found = invoice_of(actor_of(request), id)
    if isinstance(found, Draft):
        raise NotIssued
    return found


def _located(response: Response) -> Response:
    response["Location"] = f"/api/v1/billing/credit-notes/{response.data['id']}/"
    return response


class CreditView(APIView):
    """The credit notes of an invoice."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="invoices_credit",
        tags=["billing"],
        summary="Credit some lines of an invoice",
        description=(
            "By pieces, which have their part of price and discount, or by an amount. Rates, "
            "prices and discounts are those that the invoice says. Credits are cumulative, so "
            "together they never miss the invoice by a cent. With `refund` all that is overpaid "
            "then is asked back from its payments."
        ),
        parameters=[ID, IDEMPOTENCY_KEY],
        extensions=MADE_ONCE,
        request=CreditSerializer,
        responses={
            201: CreditedSerializer,
            409: envelope("More than is left (`exceeds_invoice`), or a draft (`not_issued`)."),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "one piece comes back, and 5.00 off another line",
                {
                    "reason": "broken",
                    "lines": [{"position": 1, "quantity": 1}, {"position": 2, "amount": "5.00"}],
                    "refund": True,
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, id: str) -> Response:
        given = read(CreditSerializer, request)
        invoice = _invoice(request, id)

        def work() -> tuple[int, Any]:
            note, refunds = credit_note_create(
                actor=actor_of(request),
                invoice=invoice,
                lines=[Asked(**line) for line in given["lines"]],
                reason=given["reason"],
                refund=given["refund"],
            )
            asked = [
                {
                    "id": str(refund.pk),
                    "payment": str(refund.payment_id),
                    "amount": f"{refund.amount:.{note.exponent}f}",
                    "status": refund.status,
                }
                for refund in refunds
            ]
            return 201, {**_data(note, invoice), "refunds": asked}

        return _located(answer_once(request, work))


class VoidView(APIView):
    """The void of an invoice."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="invoices_void",
        tags=["billing"],
        summary="Void an invoice",
        description=(
            "A credit note takes its rest, and its purchases and coupons can be used again. Again: "
            "the same credit note, with `200`. If all its pieces are credited already, the answer "
            "is the last credit note."
        ),
        parameters=[ID, IDEMPOTENCY_KEY],
        extensions=_HEADERS,
        request=VoidSerializer,
        responses={
            200: CreditNoteSerializer,
            201: CreditNoteSerializer,
            409: envelope("Money was received (`refund_first`), or a draft (`not_issued`)."),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        given = read(VoidSerializer, request)
        reason = given["reason"]
        invoice = _invoice(request, id)

        def work() -> tuple[int, Any]:
            actor = actor_of(request)
            note, replayed = invoice_void(actor=actor, invoice=invoice, reason=reason)
            return 200 if replayed else 201, _data(note, invoice)

        response = answer_once(request, work)
        if response.status_code == 200:
            response["Idempotent-Replayed"] = "true"
        return _located(response)


def _data(note: Document, invoice: Document) -> dict[str, Any]:
    note.customer, note.corrects = invoice.customer, invoice
    return credit_note_data(note)
