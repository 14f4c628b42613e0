"""The API of quizzes: drafts, checks, versions."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from people.idempotency import answer_once
from quizzes.authoring import services
from quizzes.authoring.drafts import checked, parse_draft
from quizzes.authoring.selectors import quiz_for, quizzes_of, types_of, version_of, versions_of
from quizzes.authoring.serializers import (
    CHECKED,
    CheckInputSerializer,
    QuizChangeSerializer,
    QuizInputSerializer,
    QuizSerializer,
    VersionSerializer,
    checked_data,
    quiz_data,
    version_data,
)
from quizzes.companies.access import Role, company_for
from quizzes.companies.api import COMPANY, READ, WRITE
from quizzes.definition.structs import FORMAT
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import BODY_OPTIONAL, KEY_REUSED, MADE_ONCE, Answer, answers, envelope

ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
DEFINITION: Any = {"type": "object", "example": {"format": FORMAT, "languages": ["en"]}}
_ETAG = {"description": "The draft's revision, in quotes.", "schema": {"type": "string"}}
_IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the draft that was changed. Without it, any revision will do.",
    examples=[OpenApiExample("revision 7", '"7"')],
)
_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH)


class QuizListView(APIView):
    """The quizzes of a company."""

    required = {"GET": READ, "POST": WRITE}
    moment_field = "created_at"

    @extend_schema(
        operation_id="quizzes_list",
        summary="List the quizzes of a company, newest first",
        parameters=[COMPANY, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(QuizSerializer))},
    )
    def get(self, request: Request, company: str) -> Response:
        paginator = KeysetPagination()
        found = paginator.paginate_queryset(
            quizzes_of(company_for(request.user, company)), request, self
        )
        return paginator.get_paginated_response([quiz_data(each, company) for each in found])

    @extend_schema(
        operation_id="quizzes_create",
        summary="Make a quiz with a draft",
        parameters=[COMPANY, IDEMPOTENCY_KEY],
        extensions=MADE_ONCE,
        request=QuizInputSerializer,
        responses={
            201: QuizSerializer,
            409: envelope("The slug is taken (`slug_taken`), or there are 1000 (`quiz_limit`)."),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, company: str) -> Response:
        found = company_for(request.user, company, Role.EDITOR)
        given = read(QuizInputSerializer, request)

        def work() -> tuple[int, Any]:
            quiz = services.quiz_create(actor=actor_of(request), company=found, **given)
            return 201, quiz_data(quiz, company)

        answer = answer_once(request, work)
        answer["Location"] = f"{request.path}{answer.data['id']}/"
        return answer


class QuizView(APIView):
    """One quiz."""

    required = {"GET": READ, "PATCH": WRITE}

    @extend_schema(
        operation_id="quizzes_retrieve",
        summary="Show a quiz",
        parameters=[COMPANY, ID],
        responses={200: QuizSerializer},
    )
    def get(self, request: Request, company: str, id: str) -> Response:
        return Response(quiz_data(quiz_for(request.user, company, id), company))

    @extend_schema(
        operation_id="quizzes_change",
        summary="Open or close a quiz, or change its limits",
        parameters=[COMPANY, ID],
        request=QuizChangeSerializer,
        responses={
            200: QuizSerializer,
            409: envelope("It has no version (`not_published`)."),
        },
        examples=[OpenApiExample("close it", {"state": "closed"}, request_only=True)],
    )
    def patch(self, request: Request, company: str, id: str) -> Response:
        quiz = quiz_for(request.user, company, id, Role.EDITOR)
        given = read(QuizChangeSerializer, request)
        changed = services.quiz_change(actor=actor_of(request), quiz=quiz, changes=given)
        return Response(quiz_data(changed, company))


class DraftView(APIView):
    """The draft of a quiz."""

    required = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="quizzes_draft",
        summary="Show the draft of a quiz",
        parameters=[COMPANY, ID],
        extensions=answers({"200": Answer(headers={"ETag": _ETAG})}),
        responses={
            200: OpenApiResponse(DEFINITION),
            304: OpenApiResponse(description="The client's copy is current (`If-None-Match`)."),
        },
    )
    def get(self, request: Request, company: str, id: str) -> HttpResponseBase:
        quiz = quiz_for(request.user, company, id)
        etag = f'"{quiz.draft_rev}"'
        response = Response(quiz.draft, headers={"ETag": etag})
        conditional = get_conditional_response(request._request, etag=etag, response=response)
        return conditional or response

    @extend_schema(
        operation_id="quizzes_draft_save",
        summary="Replace the draft of a quiz",
        description="A draft may be incomplete; `check/` tells what publishing would refuse.",
        parameters=[COMPANY, ID, _IF_MATCH],
        extensions=answers({"200": Answer(headers={"ETag": _ETAG})}),
        request={"application/json": DEFINITION},
        responses={
            200: OpenApiResponse(DEFINITION),
            412: envelope("It was changed since (`draft_changed`)."),
        },
    )
    def put(self, request: Request, company: str, id: str) -> Response:
        quiz = quiz_for(request.user, company, id, Role.EDITOR)
        services.draft_save(quiz=quiz, definition=request.data, expected=_expected(request))
        return Response(quiz.draft, headers={"ETag": f'"{quiz.draft_rev}"'})


class CheckView(APIView):
    """What publishing would say."""

    required = {"POST": READ}

    @extend_schema(
        operation_id="quizzes_check",
        summary="Check a draft; nothing is stored",
        parameters=[COMPANY, ID],
        request=CheckInputSerializer,
        extensions={BODY_OPTIONAL: True},
        responses={200: OpenApiResponse(CHECKED)},
    )
    def post(self, request: Request, company: str, id: str) -> Response:
        quiz = quiz_for(request.user, company, id)
        given = read(CheckInputSerializer, request)
        draft = parse_draft(given["definition"]) if "definition" in given else quiz.draft
        return Response(checked_data(checked(draft, types_of(quiz))))


class PublishView(APIView):
    """A new version of a quiz."""

    required = {"POST": WRITE}

    @extend_schema(
        operation_id="quizzes_publish",
        summary="Publish the draft as a version that never changes",
        description=(
            "The first version opens the quiz. A draft with the content of an earlier version "
            "makes that the one of new attempts, and the status is 200."
        ),
        parameters=[COMPANY, ID, IDEMPOTENCY_KEY],
        request=None,
        extensions=MADE_ONCE,
        responses={200: VersionSerializer, 201: VersionSerializer, 422: KEY_REUSED},
    )
    def post(self, request: Request, company: str, id: str) -> Response:
        quiz = quiz_for(request.user, company, id, Role.EDITOR)

        def work() -> tuple[int, Any]:
            published = services.quiz_publish(actor=actor_of(request), quiz=quiz)
            return 201 if published.is_new else 200, version_data(published.version)

        answer = answer_once(request, work)
        answer["Location"] = f"{request.path}../versions/{answer.data['version']}/"
        return answer


class VersionListView(APIView):
    """The published versions of a quiz."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quizzes_versions",
        summary="List the published versions of a quiz, newest first",
        parameters=[COMPANY, ID, *PAGE_PARAMETERS],
        responses={200: OpenApiResponse(page_schema(VersionSerializer))},
    )
    def get(self, request: Request, company: str, id: str) -> Response:
        paginator = _ByNumber()
        versions = versions_of(quiz_for(request.user, company, id))
        found = paginator.paginate_queryset(versions, request, self)
        return paginator.get_paginated_response([version_data(each) for each in found])


class VersionView(APIView):
    """One published version of a quiz."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quizzes_version",
        summary="Show the definition of a published version",
        parameters=[COMPANY, ID, _NUMBER],
        responses={200: OpenApiResponse(DEFINITION)},
    )
    def get(self, request: Request, company: str, id: str, number: str) -> HttpResponseBase:
        quiz = quiz_for(request.user, company, id)
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise NotFound()
        version = version_of(quiz, int(number))
        etag = f'"{bytes(version.sha256).hex()}"'
        response = HttpResponse(version.definition.encode(), content_type="application/json")
        response["ETag"] = etag
        response["Cache-Control"] = "private, max-age=31536000, immutable"
        conditional = get_conditional_response(request._request, etag=etag, response=response)
        return conditional or response


class _ByNumber(KeysetPagination):
    number_field = "number"


def _expected(request: Request) -> set[int] | None:
    """Return the revisions that the client would change; ``None`` is any."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    given = {tag.strip('"') for tag in parse_etags(header)} or {header}
    return {int(tag) for tag in given if tag.isascii() and tag.isdigit() and len(tag) < 10}
