"""The API for those who check documents and chains: strangers with paper, and auditors."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import ByAddressThrottle
from accounts.permissions import Permission as P
from accounts.rules import OPEN, needs
from billing.invoices.models import LABEL_MAX_LENGTH, Document, Series
from billing.invoices.verifying import CHAIN_PAGE, CONTENTS_PAGE, chain, verified
from shop.core.errors import FieldError, NotFound, ValidationFailed


class VerifyThrottle(ByAddressThrottle):
    """Counts the questions of one network address."""

    scope = "verify"


class SeriesStateSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    count = serializers.IntegerField()
    head = serializers.CharField(help_text="The hash of the last document.")


class VerifiedSerializer(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    issued_on = serializers.DateField(allow_null=True)
    series = SeriesStateSerializer(allow_null=True)


class LinkSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    sequence = serializers.IntegerField()
    hash = serializers.CharField()
    previous = serializers.CharField(help_text="64 zeros for the first.")
    canonical = serializers.CharField(required=False)


class VerifyView(APIView):
    """Whether a document is one of ours."""

    required = {"GET": OPEN}
    authentication_classes = ()
    throttle_classes = (VerifyThrottle,)

    @extend_schema(
        operation_id="billing_verify",
        summary="Check a document on paper",
        description=(
            "The QR code of a document leads here. The answer has no amounts and no names. A "
            "number with another hash looks like a number that does not exist."
        ),
        parameters=[
            OpenApiParameter("number", OpenApiTypes.STR, required=True),
            OpenApiParameter("hash", OpenApiTypes.STR, required=True),
        ],
        responses={200: VerifiedSerializer},
    )
    def get(self, request: Request) -> Response:
        given = [request.query_params.get(name, "") for name in ("number", "hash")]
        found = verified(*given)
        if found is None:
            return Response({"valid": False, "issued_on": None, "series": None})
        return Response(
            {
                "valid": True,
                "issued_on": found.issued_on.isoformat(),
                "series": {"code": found.series, "count": found.count, "head": found.head},
            }
        )


class ChainView(APIView):
    """The chain of a series."""

    required = {"GET": needs(P.BILLING_READ_ALL)}

    @extend_schema(
        operation_id="billing_chain",
        summary="Read the chain of a series, oldest first",
        description=(
            f"{CHAIN_PAGE} links after the number `after`, or {CONTENTS_PAGE} with their texts "
            "(`contents=true`). A hash is the SHA-256 of the 32 bytes before and of the text. "
            "`examples/verify_invoices.py` checks it."
        ),
        parameters=[
            OpenApiParameter("code", OpenApiTypes.STR, OpenApiParameter.PATH),
            OpenApiParameter(
                "after", OpenApiTypes.STR, description="A number, `INV-2026-000123` or `123`."
            ),
            OpenApiParameter("contents", OpenApiTypes.BOOL),
        ],
        responses={200: OpenApiResponse(response=LinkSerializer(many=True))},
    )
    def get(self, request: Request, code: str) -> Response:
        series = None
        if len(code) <= LABEL_MAX_LENGTH and "\0" not in code:
            series = Series.objects.filter(code=code).first()
        if series is None:
            raise NotFound()
        contents = request.query_params.get("contents", "").lower() in ("true", "1")
        after = _after(series, request.query_params.get("after", ""))
        return Response(chain(series, after=after, contents=contents))


def _after(series: Series, text: str) -> int:
    text = text.strip()
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if len(text) <= LABEL_MAX_LENGTH and "\0" not in text:
        documents = Document.objects.filter(series=series, label=text.upper())
        number = documents.values_list("number", flat=True).first()
        if number is not None:
            return number
    raise ValidationFailed([FieldError("invalid", "There is no such number.", "after")])
