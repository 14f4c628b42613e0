"""The API of a quiz's results, for its company."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quizzes.answering.results import result_at, result_data, results_of, row_data
from quizzes.authoring.api import ID
from quizzes.authoring.selectors import quiz_for
from quizzes.companies.api import COMPANY, READ
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema

_FILTERS = [
    OpenApiParameter("version", OpenApiTypes.INT),
    OpenApiParameter("outcome", OpenApiTypes.STR, description="Its key."),
    OpenApiParameter("band", OpenApiTypes.STR, description="Its key."),
    OpenApiParameter("since", OpenApiTypes.STR, description="A day or a time with an offset."),
    OpenApiParameter("until", OpenApiTypes.STR, description="A day or a time with an offset."),
]


class QuizResultSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    version = serializers.IntegerField()
    language = serializers.CharField()
    finished_at = serializers.DateTimeField()
    points = serializers.CharField()
    max = serializers.CharField()
    percent = serializers.CharField(allow_null=True)
    band = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    late = serializers.BooleanField()
    suspect = serializers.BooleanField(help_text="It was faster than people are.")


class QuizResultListView(APIView):
    """The results of a quiz."""

    required = {"GET": READ}
    moment_field = "finished_at"
    key_field = "attempt_id"

    @extend_schema(
        operation_id="quizzes_results",
        summary="List the results of a quiz, newest first",
        parameters=[COMPANY, ID, *_FILTERS, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(QuizResultSerializer))},
    )
    def get(self, request: Request, company: str, id: str) -> Response:
        paginator = KeysetPagination()
        rows = results_of(quiz_for(request.user, company, id), request.query_params)
        found = paginator.paginate_queryset(rows, request, self)
        return paginator.get_paginated_response([row_data(each) for each in found])


class QuizResultView(APIView):
    """One result of a quiz."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quizzes_result",
        summary="Show a result with its answers",
        parameters=[COMPANY, ID, OpenApiParameter("rid", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={200: OpenApiResponse({"type": "object"})},
    )
    def get(self, request: Request, company: str, id: str, rid: str) -> Response:
        return Response(result_data(result_at(quiz_for(request.user, company, id), rid)))
