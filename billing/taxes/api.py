"""The API of taxes: rates by the day of supply, and items that are not taxed like most."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.taxes import services
from billing.taxes.models import ItemTax, TaxRate
from billing.taxes.serializers import (
    ItemTaxSerializer,
    TaxRateSerializer,
    item_tax_data,
    rate_data,
)
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, ByKey, page_schema
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope
from shop.core.text import printable

READ, WRITE = needs(P.BILLING_READ_ALL), needs(P.BILLING_WRITE_ALL)
RATE = {
    "id": 1,
    "code": "standard",
    "category": "S",
    "rate": "19.00",
    "valid_from": "2021-01-01",
    "exemption": "",
}


def _page(request: Request, view: APIView, rows: Any, data: Any) -> Response:
    paginator = ByKey()
    found = paginator.paginate_queryset(rows, request, view)
    return paginator.get_paginated_response([data(each) for each in found])


class TaxRateListView(APIView):
    """Tax rates."""

    required = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="tax_rates_list",
        tags=["billing"],
        summary="List tax rates, the newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema(TaxRateSerializer))},
    )
    def get(self, request: Request) -> Response:
        return _page(request, self, TaxRate.objects.all(), rate_data)

    @extend_schema(
        operation_id="tax_rates_create",
        tags=["billing"],
        summary="Add a tax rate",
        description=(
            "A line has the rate that was valid on its day of supply. Its code is that of its item "
            "(`item-taxes/`), else `standard`, else the code that was made first. On a day without "
            "a rate it is not subject to tax (`O`). Issued documents and drafts keep their rates."
        ),
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers({"201": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        request=TaxRateSerializer,
        responses={
            201: TaxRateSerializer,
            409: envelope("`rate_exists` or `too_many_rates`."),
            422: KEY_REUSED,
        },
        examples=[OpenApiExample("19 %", RATE)],
    )
    def post(self, request: Request) -> Response:
        given = read(TaxRateSerializer, request)

        def work() -> tuple[int, Any]:
            rate = services.rate_create(actor=actor_of(request), **given)
            return 201, rate_data(rate)

        return answer_once(request, work)


class TaxRateView(APIView):
    """One tax rate."""

    required = {"DELETE": WRITE}

    @extend_schema(
        operation_id="tax_rates_delete",
        tags=["billing"],
        summary="Delete a tax rate that was a mistake",
        parameters=[OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        if not (id.isascii() and id.isdigit() and len(id) < 19):
            raise NotFound
        services.rate_delete(actor=actor_of(request), id=int(id))
        return Response(status=204)


class ItemTaxListView(APIView):
    """The codes of items that are not taxed like most."""

    required = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="item_taxes_list",
        tags=["billing"],
        summary="List the items that have a tax code of their own",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema(ItemTaxSerializer))},
    )
    def get(self, request: Request) -> Response:
        return _page(request, self, ItemTax.objects.all(), item_tax_data)

    @extend_schema(
        operation_id="item_taxes_set",
        tags=["billing"],
        summary="Give an item a tax code of its own",
        request=ItemTaxSerializer,
        responses={200: ItemTaxSerializer},
        examples=[OpenApiExample("a book", {"item": "book", "code": "reduced"})],
    )
    def put(self, request: Request) -> Response:
        given = read(ItemTaxSerializer, request)
        return Response(item_tax_data(services.item_tax_set(actor=actor_of(request), **given)))


class ItemTaxView(APIView):
    """The code of one item."""

    required = {"DELETE": WRITE}

    @extend_schema(
        operation_id="item_taxes_delete",
        tags=["billing"],
        summary="Let an item be taxed like most again",
        parameters=[OpenApiParameter("item", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses={204: None},
    )
    def delete(self, request: Request, item: str) -> Response:
        if not printable(item):
            raise NotFound
        services.item_tax_delete(actor=actor_of(request), item=item)
        return Response(status=204)
