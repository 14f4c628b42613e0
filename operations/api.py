"""The API of operating figures."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.rules import needs
from operations import instances, series
from operations.deploys import deploy_record, deploys, deploys_between
from operations.effects import effects_of
from operations.forecasts import forecast_of
from operations.now import now
from operations.serializers import (
    DeploySerializer,
    EffectQuerySerializer,
    EffectSerializer,
    ForecastQuerySerializer,
    ForecastSerializer,
    InstanceSerializer,
    NowQuerySerializer,
    NowSerializer,
    SeriesQuerySerializer,
    SeriesSerializer,
)
from operations.series import METRICS, Query
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema

READ = {"GET": needs(P.INSIGHT_READ_ALL)}


def _given(serializer: Any, request: Request) -> dict[str, Any]:
    checked = serializer(data=request.query_params)
    checked.is_valid(raise_exception=True)
    given: dict[str, Any] = checked.validated_data
    return given


class NowView(APIView):
    """The present figures."""

    required = READ

    @extend_schema(
        operation_id="operations_now",
        tags=["operations"],
        summary="How the site runs now",
        description=(
            "The figures of all processes together. Requests and response times are those of"
            " this minute and the one before; percentiles are within 5 % of the exact ones."
        ),
        parameters=[NowQuerySerializer],
        responses={200: NowSerializer},
    )
    def get(self, request: Request) -> Response:
        figures = now(_given(NowQuerySerializer, request)["minutes"])
        return Response(NowSerializer(figures).data)


class SeriesView(APIView):
    """A figure over time."""

    required = READ

    @extend_schema(
        operation_id="operations_series",
        tags=["operations"],
        summary="A figure over time, of all processes together",
        description=(
            "From `since`, before `until`. A step in which nothing was observed has the value"
            " `null`. `response_time` is the 95th percentile; `errors` are answers of 500 and more;"
            " `users_connected` and `instances` are the most in a minute of the step. Minutes are"
            " kept for `OPERATIONS_KEEP_DAYS`, hours for two years: older times need a step of"
            " whole hours. More than 1500 points are `400 too_many_points`."
        ),
        parameters=[SeriesQuerySerializer],
        responses={200: SeriesSerializer},
    )
    def get(self, request: Request) -> Response:
        given = _given(SeriesQuerySerializer, request)
        metric = given.pop("metric")
        query = Query(**given)
        return Response(
            SeriesSerializer(
                {
                    "metric": metric,
                    "unit": METRICS[metric].unit,
                    "step": query.step,
                    "points": series.series(metric, query),
                    "deploys": deploys_between(query.since, query.until),
                }
            ).data
        )


class InstanceListView(APIView):
    """The processes of the shop."""

    required = READ

    @extend_schema(
        operation_id="operations_instances",
        tags=["operations"],
        summary="List the processes of the shop",
        description="Those that have lived during the last day, the living ones first.",
        responses={200: InstanceSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        return Response(InstanceSerializer(instances.instances(), many=True).data)


class DeployListView(APIView):
    """Deploys."""

    required = READ | {"POST": needs(P.SETTINGS_WRITE_ALL)}
    moment_field = "started_at"

    @extend_schema(
        operation_id="deploys_list",
        tags=["operations"],
        summary="List deploys, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(response=page_schema(DeploySerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        page = paginator.paginate_queryset(deploys(), request, self)
        return paginator.get_paginated_response(DeploySerializer(page, many=True).data)

    @extend_schema(
        operation_id="deploys_create",
        tags=["operations"],
        summary="Write that a version began to serve",
        description="`make deploy` writes one, too.",
        parameters=[IDEMPOTENCY_KEY],
        request=DeploySerializer,
        responses={201: DeploySerializer},
    )
    def post(self, request: Request) -> Response:
        given = read(DeploySerializer, request)
        caller = Caller.of(request.user)

        def work() -> tuple[int, Any]:
            deploy = deploy_record(by=caller.username, actor_id=caller.id, **given)
            return 201, DeploySerializer(deploy).data

        return answer_once(request, work)


class EffectView(APIView):
    """What a deploy has changed."""

    required = READ

    @extend_schema(
        operation_id="deploys_effect",
        tags=["operations"],
        summary="What a deploy has changed",
        description=(
            "Each figure after the deploy against the same time before it, less what the same"
            " minutes did a week earlier. `response_time` is the 95th percentile in seconds,"
            " `errors` the part of the requests. A verdict other than `no_evidence` needs the"
            " interval of 99.5 % wholly beyond a twentieth, so few deploys are blamed for nothing."
            " It can be asked for while the minutes are kept, `OPERATIONS_KEEP_DAYS`."
        ),
        parameters=[EffectQuerySerializer],
        responses={200: EffectSerializer},
    )
    def get(self, request: Request, id: UUID) -> Response:
        window = _given(EffectQuerySerializer, request)["window"]
        deploy = deploys().filter(pk=id).first()
        if deploy is None:
            raise NotFound()
        found = effects_of(deploy, window)
        return Response(
            EffectSerializer(
                {
                    "deploy": deploy.pk,
                    "window": found.window,
                    "complete": found.complete,
                    "metrics": found.metrics,
                }
            ).data
        )


class ForecastView(APIView):
    """A forecast."""

    required = READ

    @extend_schema(
        operation_id="operations_forecast",
        tags=["operations"],
        summary="Forecast a figure for the next hours",
        description=(
            "The model that did best on the past days, beside its backtest and the naive forecast"
            " of a week ago. The first point is the present hour. It needs 15 days of history."
        ),
        parameters=[ForecastQuerySerializer],
        responses={200: ForecastSerializer},
    )
    def get(self, request: Request) -> Response:
        given = _given(ForecastQuerySerializer, request)
        made = forecast_of(**given)
        points = [
            {"at": made.since + timedelta(hours=hour), **asdict(point)}
            for hour, point in enumerate(made.forecast.points)
        ]
        return Response(
            ForecastSerializer(
                {
                    "metric": given["metric"],
                    "made_at": made.made_at,
                    "model": made.forecast.model,
                    "status": made.forecast.status,
                    "days_missing": made.forecast.days_missing,
                    "points": points,
                    "backtest": made.forecast.backtest,
                }
            ).data
        )
