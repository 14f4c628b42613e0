"""The API of runs."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from billing.invoices.api import ID
from billing.invoices.selectors import key_of
from billing.runs.models import Run
from billing.runs.serializers import RunRequestSerializer, RunSerializer, runs_data
from billing.runs.services import run_request
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, LOCATION, REPLAYED, Answer, answers


class RunListView(APIView):
    """Runs."""

    required = {"GET": needs(P.BILLING_READ_ALL), "POST": needs(P.BILLING_WRITE_ALL)}

    @extend_schema(
        operation_id="runs_list",
        summary="List runs, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(response=page_schema(RunSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        runs = paginator.paginate_keys([Run.objects.all()], request)
        return paginator.get_paginated_response(runs_data(runs))

    @extend_schema(
        operation_id="runs_create",
        summary="Invoice all customers",
        description=(
            "A worker issues one invoice for each customer and currency, about what was bought "
            "until then and no invoice says yet. It goes on where it stopped, whatever stops it."
        ),
        extensions=answers(
            {"202": Answer(headers={"Idempotent-Replayed": REPLAYED, "Location": LOCATION})}
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=RunRequestSerializer,
        responses={
            202: RunSerializer,
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request) -> Response:
        given = read(RunRequestSerializer, request)

        def work() -> tuple[int, Any]:
            run = run_request(actor_of(request), **given)
            return 202, runs_data([run])[0]

        response = answer_once(request, work)
        response["Location"] = f"/api/v1/billing/runs/{response.data['id']}/"
        return response


class RunView(APIView):
    """One run."""

    required = {"GET": needs(P.BILLING_READ_ALL)}

    @extend_schema(
        operation_id="runs_retrieve",
        summary="Show how far a run is",
        parameters=[ID],
        responses={200: RunSerializer},
    )
    def get(self, request: Request, id: str) -> Response:
        run = Run.objects.filter(pk=key_of(id)).first()
        if run is None:
            raise NotFound()
        return Response(runs_data([run])[0])
