"""The API of drafts and invoices."""

from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.models import User
from accounts.names import normalise
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.invoices import drafts, selectors
from billing.invoices.composing import Request
from billing.invoices.models import Kind
from billing.invoices.representation import (
    credit_note_data,
    invoice_data,
    issued_data,
    listed_data,
)
from billing.invoices.selectors import STATUSES, Filters
from billing.invoices.serializers import (
    CreditNoteSerializer,
    CreditNoteSummarySerializer,
    DocumentSummarySerializer,
    DraftChangeSerializer,
    DraftSerializer,
    InvoiceSerializer,
)
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, LOCATION, REPLAYED, Answer, answers, envelope

ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_DAY = "A day of the issue, inclusive; of the making for drafts."
FILTERS = [
    OpenApiParameter("since", OpenApiTypes.DATE, description=_DAY),
    OpenApiParameter("until", OpenApiTypes.DATE, description=_DAY),
    OpenApiParameter("number", OpenApiTypes.STR, description="The whole number."),
    OpenApiParameter("username", OpenApiTypes.STR, description="One customer only."),
]
_STATUS = OpenApiParameter("status", OpenApiTypes.STR, enum=STATUSES)
_REFUSED = envelope(
    "`nothing_to_invoice`, `too_many_lines` (over 5000), `currency_not_billable`, "
    "`already_invoiced`, which names the purchases, or an error of a coupon (`coupon_…`)."
)
_ISSUED = envelope("It is issued, so nobody changes it (`issued`).")


def _customer(given: dict[str, Any]) -> User:
    """Return the customer that a body names, and take the name out of it."""
    name = "username" if "username" in given else "userid"
    value = given.pop(name)
    found = (
        User.objects.named(value)
        if name == "username"
        else User.objects.filter(userid=normalise(value))
    ).first()
    if found is None:
        detail = f"There is no customer with this {name}."
        raise ValidationFailed([FieldError("does_not_exist", detail, name)])
    return found


class InvoiceListView(APIView):
    """Drafts and invoices."""

    required = {"GET": needs(P.BILLING_READ), "POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="invoices_list",
        summary="List invoices, and drafts for staff, newest first",
        description="Lists leave out lines, discounts and taxes.",
        parameters=[_STATUS, *FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(response=page_schema(DocumentSummarySerializer))},
    )
    def get(self, request: HttpRequest) -> Response:
        paginator = KeysetPagination()
        parts = selectors.invoices_for(actor_of(request), Filters.read(request.query_params.dict()))
        rows = selectors.rows_of(paginator.paginate_keys(parts, request))
        return paginator.get_paginated_response(listed_data(rows))

    @extend_schema(
        operation_id="invoices_create",
        summary="Draft an invoice of what a customer bought and no invoice says yet",
        description=(
            "Oldest purchases first, in one currency; `currency` is needed where there are "
            "purchases in several. Coupons are taken off first, then the discounts, each of what "
            "the ones before it left. Coupons are redeemed when the draft is issued."
        ),
        extensions=answers(
            {"201": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION})}
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=DraftSerializer,
        responses={
            201: InvoiceSerializer,
            409: _REFUSED,
            422: KEY_REUSED,
        },
    )
    def post(self, request: HttpRequest) -> Response:
        given = read(DraftSerializer, request)

        def work() -> tuple[int, Any]:
            customer = _customer(given)
            wanted = {name: value for name, value in given.items() if value is not None}
            asked = msgspec.convert(wanted, Request)
            return 201, invoice_data(drafts.draft_create(actor_of(request), customer, asked))

        response = answer_once(request, work)
        response["Location"] = f"/api/v1/billing/invoices/{response.data['id']}/"
        return response


class InvoiceView(APIView):
    """One draft or invoice."""

    required = {
        "GET": needs(P.BILLING_READ),
        "PATCH": needs(P.BILLING_WRITE_ALL),
        "DELETE": needs(P.BILLING_WRITE_ALL),
    }

    @extend_schema(
        operation_id="invoices_retrieve",
        summary="Show a draft or an invoice",
        parameters=[ID],
        responses={200: InvoiceSerializer},
    )
    def get(self, request: HttpRequest, id: str) -> Response:
        return Response(invoice_data(selectors.invoice_of(actor_of(request), id)))

    @extend_schema(
        operation_id="invoices_update",
        summary="Change a draft",
        description=(
            "It is composed anew from what is not invoiced yet, with the parts of the request that "
            "are given changed; `null` takes one away. `{}` composes it anew as it was asked for."
        ),
        parameters=[ID],
        request=DraftChangeSerializer,
        responses={200: InvoiceSerializer, 409: _REFUSED},
    )
    def patch(self, request: HttpRequest, id: str) -> Response:
        key = selectors.key_of(id)
        changes = read(DraftChangeSerializer, request)
        return Response(invoice_data(drafts.draft_change(actor_of(request), key, changes)))

    @extend_schema(
        operation_id="invoices_destroy",
        summary="Discard a draft",
        parameters=[ID],
        responses={204: None, 409: _ISSUED},
    )
    def delete(self, request: HttpRequest, id: str) -> Response:
        drafts.draft_delete(actor_of(request), selectors.key_of(id))
        return Response(status=204)


class IssueView(APIView):
    """The issue of a draft."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="invoices_issue",
        summary="Issue a draft, as it was previewed",
        description="It gets its number, and nobody changes it any more. Again: the same invoice.",
        extensions=answers({"200": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        parameters=[ID, IDEMPOTENCY_KEY],
        request=None,
        responses={200: InvoiceSerializer, 409: _REFUSED},
    )
    def post(self, request: HttpRequest, id: str) -> Response:
        # The invoice itself keeps the answer, whatever the key.
        parse_idempotency_key(request.headers.get("Idempotency-Key"))
        actor = actor_of(request)
        invoice, replayed = drafts.draft_issue(actor, selectors.key_of(id))
        if not replayed:
            return Response(issued_data(invoice))
        data = invoice_data(selectors.document_of(actor, invoice.pk, Kind.INVOICE))
        return Response(data, headers={"Idempotent-Replayed": "true"})


class CreditNoteListView(APIView):
    """Credit notes."""

    required = {"GET": needs(P.BILLING_READ)}

    @extend_schema(
        operation_id="credit_notes_list",
        summary="List credit notes, newest first",
        description="Lists leave out lines, discounts and taxes.",
        parameters=[*FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(response=page_schema(CreditNoteSummarySerializer))},
    )
    def get(self, request: HttpRequest) -> Response:
        paginator = KeysetPagination()
        query = request.query_params.dict()
        filters = Filters.read({name: value for name, value in query.items() if name != "status"})
        notes = paginator.paginate_keys(
            selectors.credit_notes_for(actor_of(request), filters), request
        )
        return paginator.get_paginated_response(listed_data(notes))


class CreditNoteView(APIView):
    """One credit note."""

    required = {"GET": needs(P.BILLING_READ)}

    @extend_schema(
        operation_id="credit_notes_retrieve",
        summary="Show a credit note",
        parameters=[ID],
        responses={200: CreditNoteSerializer},
    )
    def get(self, request: HttpRequest, id: str) -> Response:
        note = selectors.document_of(actor_of(request), id, Kind.CREDIT_NOTE)
        return Response(credit_note_data(note))
