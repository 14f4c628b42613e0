"""The API for respondents' devices. It knows nobody: no cookie, no account, only attempts' secrets.

``quizzes.answering.fast`` answers most saves and finishes before Django sees them. These views are
the reference, and answer whatever it leaves.
"""

import hashlib
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rules import OPEN
from quizzes.answering import hooks
from quizzes.answering.definitions import Definition, version_of
from quizzes.answering.errors import refused
from quizzes.answering.finishing import attempts_finish
from quizzes.answering.opening import quiz_open
from quizzes.answering.requests import (
    Finish,
    Secret,
    read_finish,
    read_save,
    save_of,
    secret_of,
)
from quizzes.answering.saving import Saved, attempts_save
from quizzes.answering.selectors import attempt_get, attempt_represent, result_of
from quizzes.answering.serializers import (
    AttemptFinishSerializer,
    AttemptResultSerializer,
    AttemptSavedSerializer,
    AttemptSaveSerializer,
    PublicQuizSerializer,
    RespondentAttemptSerializer,
)
from quizzes.authoring.models import Quiz
from quizzes.definition.problems import Problem
from shop.core.admission import address_holder
from shop.core.errors import ApplicationError, NotFound
from shop.core.schema import envelope

NO_SECRET = envelope("The secret is missing or malformed.")
_CLOSED = envelope("`quiz_closed`")
_WORK = envelope("`challenge_required`: solve one, and send it along.")
_REVISION = "`stale_revision`, `revision_conflict` or `already_finished`."
_CHANGED = "For a first save `quiz_changed`; else " + _REVISION
_NEEDS = "Needs `Authorization: Attempt <32 random bytes in base64url>`."
_ID = OpenApiParameter(
    "id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="A UUIDv7 that the device makes."
)


class RespondentView(APIView):
    """A view without accounts and cookies."""

    authentication_classes = ()
    throttle_classes = ()

    def facts(self, request: Request, action: Any, slug: str, quiz: UUID, id: UUID) -> hooks.Facts:
        """Return what may decide whether the request is let in."""
        return hooks.Facts(
            action=action,
            slug=slug,
            quiz=quiz,
            attempt=id,
            network=address_holder(request.META.get("REMOTE_ADDR", "")),
            challenge=request.headers.get("Challenge", ""),
        )

    def secret(self, request: Request) -> Secret:
        """Return the secret of the request. Raise ``NoSecret``."""
        return secret_of(request.headers.get("Authorization", ""))


class PublicQuizView(RespondentView):
    """What a respondent's device needs to show a quiz."""

    required = {"GET": OPEN}

    @extend_schema(
        operation_id="q_quiz",
        summary="Read a quiz to answer it",
        description=(
            "The definition has no points, right answers, outcomes or texts of results. `ETag` is "
            "that of all of it. With `attempt` it is the version that this attempt gets, if "
            "the quiz divides its respondents among several."
        ),
        parameters=[OpenApiParameter("attempt", OpenApiTypes.UUID)],
        responses={200: PublicQuizSerializer, 410: _CLOSED},
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        body = quiz_open(slug, _uuid(request.query_params.get("attempt"))).represent()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if etag in request.headers.get("If-None-Match", ""):
            return HttpResponse(status=304, headers=headers)
        return HttpResponse(body, content_type="application/json", headers=headers)


class AttemptView(RespondentView):
    """The state of an attempt."""

    required = {"GET": OPEN, "PUT": OPEN}

    @extend_schema(
        operation_id="q_attempt",
        summary="Read an attempt to go on with it",
        description=_NEEDS,
        parameters=[_ID],
        responses={200: RespondentAttemptSerializer, 401: NO_SECRET},
    )
    def get(self, request: Request, slug: str, id: UUID) -> Response:
        return Response(attempt_represent(attempt_get(slug, id, self.secret(request))))

    @extend_schema(
        operation_id="q_attempt_save",
        summary="Save the whole state of an attempt",
        description=(
            f"{_NEEDS} The first save ties id and secret together, so it can be repeated until it "
            "is answered. `rev` grows with each state; an older one never overwrites a newer one."
        ),
        parameters=[_ID],
        request=AttemptSaveSerializer,
        responses={
            200: AttemptSavedSerializer,
            201: AttemptSavedSerializer,
            401: NO_SECRET,
            409: envelope(_CHANGED),
            410: _CLOSED,
            428: _WORK,
        },
    )
    def put(self, request: Request, slug: str, id: UUID) -> Response:
        secret = self.secret(request)
        body = read_save(request.data)
        save = save_of(id, secret, body, published(slug, body.version))
        hooks.admit(self.facts(request, "save", slug, save.quiz_id, id))
        (saved,) = attempts_save([save])
        if isinstance(saved, ApplicationError):
            raise saved
        return Response(saved_represent(saved), status=201 if saved.created else 200)


class FinishView(RespondentView):
    """The end of an attempt."""

    required = {"POST": OPEN}

    @extend_schema(
        operation_id="q_attempt_finish",
        summary="Finish an attempt and get its result",
        description=(
            f"{_NEEDS} The same answers again get the same result, with `Idempotent-Replayed: "
            "true`. If the quiz asks for an address first, the answer has no words of the result."
        ),
        parameters=[_ID],
        request=AttemptFinishSerializer,
        responses={
            200: AttemptResultSerializer,
            201: AttemptResultSerializer,
            401: NO_SECRET,
            409: envelope(_REVISION),
            410: _CLOSED,
            428: _WORK,
        },
    )
    def post(self, request: Request, slug: str, id: UUID) -> HttpResponse:
        secret = self.secret(request)
        body = read_finish(request.data)
        quiz = Quiz.objects.filter(slug=slug).values_list("pk", flat=True).first()
        if quiz is None:
            raise NotFound()
        hooks.admit(self.facts(request, "finish", slug, quiz, id))
        (found,) = attempts_finish([Finish(id, quiz, secret, body.rev, body.answers)])
        if isinstance(found, ApplicationError):
            raise found
        headers = {"Idempotent-Replayed": "true"} if found.replayed else {}
        return HttpResponse(
            found.body,
            status=200 if found.replayed else 201,
            content_type="application/json",
            headers=headers,
        )


class AttemptResultView(RespondentView):
    """The result of an attempt."""

    required = {"GET": OPEN}

    @extend_schema(
        operation_id="q_attempt_result",
        summary="Read the result of an attempt",
        description=_NEEDS,
        parameters=[_ID],
        responses={
            200: AttemptResultSerializer,
            401: NO_SECRET,
            403: envelope("`contact_required`: leave an address."),
            409: envelope("`not_ready`: it is not finished."),
        },
    )
    def get(self, request: Request, slug: str, id: UUID) -> Response:
        return Response(result_of(attempt_get(slug, id, self.secret(request))))


def published(slug: str, number: int) -> Definition:
    """Return a version of a quiz. Raise ``NotFound``, or ``ValidationFailed`` for the version."""
    found = version_of(slug, number)
    if found is None:
        if not Quiz.objects.filter(slug=slug, version__isnull=False).exists():
            raise NotFound()
        raise refused([Problem("invalid", "There is no such version.", "version")])
    return found


def saved_represent(saved: Saved) -> dict[str, Any]:
    """Return the answer to a save in JSON's types."""
    return {
        "id": str(saved.id),
        "rev": saved.rev,
        "state": "open",
        "path_length": saved.path_length,
    }


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise refused([Problem("invalid", "This is no UUID.", "attempt")]) from None
