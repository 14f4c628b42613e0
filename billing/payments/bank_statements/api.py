"""The API of bank statements."""

import io
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.invoices.api import ID
from billing.payments.bank_statements.importing import (
    credit_assign,
    credit_set_aside,
    statement_import,
)
from billing.payments.bank_statements.reading import read_statement
from billing.payments.bank_statements.selectors import credit_of, credits, invoice_named
from billing.payments.bank_statements.serializers import (
    SHOWN_MAX,
    AssignSerializer,
    BankCreditSerializer,
    ImportedStatementSerializer,
    SetAsideSerializer,
    credit_data,
    imported_data,
)
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import FieldError, PayloadTooLarge, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.parsers import BODY_MAX_BYTES
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

_REPLAYED = Answer(headers={"Idempotent-Replayed": REPLAYED})
_TRUE = {"true": True, "1": True, "false": False, "0": False, "": False}


class _FileParser(BaseParser):
    """Takes a body of at most 1 MiB as it is, whatever its type, because the file says it."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        body = stream.read(BODY_MAX_BYTES + 1)
        if len(body) > BODY_MAX_BYTES:
            raise PayloadTooLarge()
        return body


class StatementView(APIView):
    """The import of a bank's statement."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}
    parser_classes = (_FileParser,)

    @extend_schema(
        operation_id="bank_statements_create",
        summary="Import what a bank says has come",
        description=(
            "The body is a file of camt.053, or CSV with the columns `account`, `booked_on`, "
            "`amount`, `currency` and, if known, `bank_reference`, `reference`, `text`, `payer`. "
            f"At most 1 MiB and {SHOWN_MAX} lines. Credits are matched by creditor reference, or "
            "by the number of an invoice of which exactly this is due. The others wait to be "
            "assigned. A line that was imported before, in whichever file, is `known`. Debits "
            "are counted only. `dry_run` shows what would be done."
        ),
        parameters=[OpenApiParameter("dry_run", OpenApiTypes.BOOL), IDEMPOTENCY_KEY],
        request={
            "application/xml": OpenApiTypes.BINARY,
            "text/csv": OpenApiTypes.BINARY,
        },
        responses={
            200: ImportedStatementSerializer,
            400: envelope(
                "Not readable (`statement_not_readable`), or its balances do not add up "
                "(`wrong_sums`). Nothing was booked."
            ),
            413: envelope("More lines than that (`too_many_lines`)."),
        },
    )
    def post(self, request: Request) -> Response:
        # The lines themselves are known again, whatever the key.
        parse_idempotency_key(request.headers.get("Idempotency-Key"))
        asked = request.query_params.get("dry_run", "").lower()
        if asked not in _TRUE:
            raise ValidationFailed([FieldError("invalid", "Give true or false.", "dry_run")])
        # Without a body nothing is parsed.
        body: Any = request.data or b""
        lines = read_statement(io.BytesIO(body), most=SHOWN_MAX)
        done = statement_import(actor=actor_of(request), lines=lines, dry_run=_TRUE[asked])
        return Response(imported_data(done))


class CreditListView(APIView):
    """What banks say has come."""

    required = {"GET": needs(P.BILLING_READ_ALL)}

    @extend_schema(
        operation_id="bank_credits_list",
        summary="List credits of bank statements, newest first",
        parameters=[OpenApiParameter("status", OpenApiTypes.STR), *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(BankCreditSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        rows = credits(request.query_params.get("status", ""))
        page = paginator.paginate_keys([rows], request)
        return paginator.get_paginated_response([credit_data(row) for row in page])


class CreditView(APIView):
    """One credit."""

    required = {"GET": needs(P.BILLING_READ_ALL)}

    @extend_schema(
        operation_id="bank_credits_retrieve",
        summary="Show a credit of a bank statement",
        parameters=[ID],
        responses={200: BankCreditSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(credit_data(credit_of(id)))


class AssignView(APIView):
    """The invoice that a credit is for, as somebody knows it."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="bank_credits_assign",
        summary="Book a credit that waits, for an invoice",
        description="Again: the same, `Idempotent-Replayed: true`.",
        parameters=[ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED}),
        request=AssignSerializer,
        responses={
            200: BankCreditSerializer,
            409: envelope(
                "It is booked for another invoice (`credit_booked`), in another currency "
                "(`other_currency`), the invoice is a draft (`not_issued`), or has another "
                "payment under the bank's reference (`reference_used`)."
            ),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        credit = credit_of(id)
        given = read(AssignSerializer, request)
        again = False

        def work() -> tuple[int, Any]:
            nonlocal again
            invoice = invoice_named(given["invoice"])
            _credit, is_new = credit_assign(
                actor=actor_of(request), credit_id=credit.pk, invoice=invoice
            )
            again = not is_new
            return 200, credit_data(credit_of(credit.pk))

        response = answer_once(request, work)
        if again:
            response["Idempotent-Replayed"] = "true"
        return response


class SetAsideView(APIView):
    """The news that a credit is for no invoice."""

    required = {"POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="bank_credits_set_aside",
        summary="Say that a credit is for no invoice",
        description="It can still be assigned. Again it changes nothing.",
        parameters=[ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": _REPLAYED}),
        request=SetAsideSerializer,
        responses={
            200: BankCreditSerializer,
            409: envelope("It is booked (`credit_booked`)."),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, id: str) -> Response:
        credit = credit_of(id)
        given = read(SetAsideSerializer, request)

        def work() -> tuple[int, Any]:
            credit_set_aside(actor=actor_of(request), credit_id=credit.pk, reason=given["reason"])
            return 200, credit_data(credit_of(credit.pk))

        return answer_once(request, work)
