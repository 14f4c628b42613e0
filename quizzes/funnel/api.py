"""The API of a quiz's funnel."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quizzes.answering.results import moment_in
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import definition_of, quiz_for
from quizzes.companies.api import COMPANY, READ
from quizzes.funnel.figures import Asked, Figures, QuestionFigures, figures_of, questions_of
from quizzes.funnel.selectors import newest_version, version_id
from shop.core.errors import FieldError, ValidationFailed

EXAMPLE = {
    "views": 1200,
    "started": 400,
    "answered": 380,
    "finished": 290,
    "contact": 120,
    "confirmed": 90,
    "bought": 12,
    "revenue": [{"currency": "EUR", "total": "341.80"}],
    "questions": [
        {"key": "roast", "seen": 400, "answered": 380, "left": 15, "median_seconds": 6.4}
    ],
    "outcomes": {"espresso": 170, "filter": 120},
    "bands": {"beginner": 90, "pro": 200},
}


class RevenueSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    total = serializers.DecimalField(24, 2)


class QuestionFiguresSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    seen = serializers.IntegerField()
    answered = serializers.IntegerField()
    left = serializers.IntegerField(help_text="Not finished, and not saved for 30 minutes.")
    median_seconds = serializers.FloatField(allow_null=True)


class FunnelSerializer(serializers.Serializer[Any]):
    views = serializers.IntegerField()
    started = serializers.IntegerField()
    answered = serializers.IntegerField()
    finished = serializers.IntegerField()
    contact = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    bought = serializers.IntegerField()
    revenue = RevenueSerializer(many=True)
    questions = QuestionFiguresSerializer(many=True)
    outcomes = serializers.DictField(child=serializers.IntegerField())
    bands = serializers.DictField(child=serializers.IntegerField())


class FunnelView(APIView):
    """The way from a view of a quiz to a purchase."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quizzes_funnel",
        summary="Count how far the respondents of a quiz came",
        description=(
            "Each stage counts rows, of the attempts that began in the period, without previews "
            "and without attempts that were faster than people are. `views` are of all versions. "
            "`revenue` is never added across currencies."
        ),
        parameters=[
            COMPANY,
            OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH),
            OpenApiParameter(
                "since", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
            ),
            OpenApiParameter(
                "until", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
            ),
            OpenApiParameter("version", OpenApiTypes.INT, description="Of one version only."),
        ],
        responses={200: FunnelSerializer},
        examples=[OpenApiExample("a funnel", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, company: str, id: str) -> Response:
        quiz = quiz_for(request.user, company, id)
        return Response(funnel_data(quiz, asked_of(quiz, request.query_params)))


def asked_of(quiz: Quiz, query: Mapping[str, str]) -> Asked:
    """Return what a query asks about a quiz. Raise ``ValidationFailed``."""
    number = query.get("version", "")
    version = None
    if number:
        version = version_id(quiz, number)
        if version is None:
            detail = "There is no such version."
            raise ValidationFailed([FieldError("invalid", detail, "version")])
    return Asked(
        quiz.pk,
        version,
        moment_in(query, "since"),
        moment_in(query, "until"),
    )


def funnel_data(quiz: Quiz, asked: Asked) -> dict[str, Any]:
    """Return the funnel in JSON's types."""
    found: Figures = figures_of(asked)
    version = asked.version or newest_version(quiz)
    order = [each.key for each in definition_of(version).questions] if version else []
    return {
        "views": found.views,
        "started": found.started,
        "answered": found.answered,
        "finished": found.finished,
        "contact": found.contact,
        "confirmed": found.confirmed,
        "bought": found.bought,
        "revenue": [
            {"currency": currency, "total": f"{total:.2f}"}
            for currency, total in found.revenue.items()
        ],
        "questions": [_question(each) for each in questions_of(asked, order)],
        "outcomes": found.outcomes,
        "bands": found.bands,
    }


def _question(figures: QuestionFigures) -> dict[str, Any]:
    seconds: Decimal | None = figures.median_seconds
    return {
        "key": figures.key,
        "seen": figures.seen,
        "answered": figures.answered,
        "left": figures.left,
        "median_seconds": None if seconds is None else float(seconds),
    }
