"""The API of files: quizzes that come from other programs, and those that leave."""

import hashlib
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from people.idempotency import keep_once, route_of
from quizzes.authoring.api import ID
from quizzes.authoring.drafts import refusal
from quizzes.authoring.imports import FORMATS, Imported, definition_import
from quizzes.authoring.imports.building import key_of
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import quiz_for, version_of
from quizzes.authoring.services import quiz_create
from quizzes.companies.access import Role, company_for
from quizzes.companies.api import COMPANY, READ, WRITE
from quizzes.companies.models import SLUG_MAX_LENGTH
from quizzes.definition.canonical import canonical
from quizzes.definition.parse import parse
from quizzes.definition.problems import Invalid
from quizzes.definition.structs import MAX_BYTES
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

LANGUAGE_MAX_LENGTH = 12
_SKIPPED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["line", "code", "detail"],
        "properties": {
            "line": {"type": "integer", "nullable": True},
            "code": {"type": "string"},
            "detail": {"type": "string"},
        },
    },
}
IMPORTED: dict[str, Any] = {
    "type": "object",
    "required": ["id", "slug", "questions", "skipped", "notes"],
    "properties": {
        "id": {"type": "string", "format": "uuid", "nullable": True},
        "slug": {"type": "string", "nullable": True},
        "questions": {"type": "integer"},
        "skipped": _SKIPPED,
        "notes": _SKIPPED,
    },
}


class _FileParser(BaseParser):
    """Accepts every content type, because what a file is, its content says."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream.read(MAX_BYTES + 1)


class ImportView(APIView):
    """A quiz from a file."""

    required = {"POST": WRITE}
    parser_classes = (MultiPartParser, _FileParser)

    @extend_schema(
        operation_id="quizzes_import",
        summary="Make a quiz from a file",
        description=(
            "The body is the file, or a form with the file as `file`; up to 256 KiB. A question "
            "that cannot be taken over is in `skipped` and stops no other; parts that were left "
            "out of questions are in `notes`."
        ),
        parameters=[
            COMPANY,
            OpenApiParameter("format", OpenApiTypes.STR, enum=list(FORMATS), default="quiz"),
            OpenApiParameter("slug", OpenApiTypes.STR, description="Else the title makes one."),
            OpenApiParameter(
                "language", OpenApiTypes.STR, description="Of the texts, if the file says nothing."
            ),
            OpenApiParameter(
                "dry_run", OpenApiTypes.STR, enum=["0", "1"], description="1: make nothing."
            ),
            IDEMPOTENCY_KEY,
        ],
        extensions=answers({"201": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        request={
            "text/plain": {"type": "string", "example": "The Nile is in Africa.{TRUE}\n"},
            "application/json": {"type": "object"},
        },
        responses={
            200: OpenApiResponse(IMPORTED, description="A dry run."),
            201: OpenApiResponse(IMPORTED),
            409: envelope("The slug is taken (`slug_taken`)."),
            422: KEY_REUSED,
        },
        examples=[OpenApiExample("GIFT", "The Nile is in Africa.{TRUE}\n", request_only=True)],
    )
    def post(self, request: Request, company: str) -> Response:
        found = company_for(request.user, company, Role.EDITOR)
        query = request.query_params
        body = _body(request)
        imported = file_read(query.get("format", "quiz"), body, query.get("language", "en"))
        if _flag(query.get("dry_run", "0")):
            return Response(imported_data(imported, None))
        slug = query.get("slug") or slug_of(imported, body)

        def work() -> tuple[int, Any]:
            quiz = quiz_create(
                actor=actor_of(request), company=found, slug=slug, definition=imported.definition
            )
            return 201, imported_data(imported, quiz)

        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        if key is None:
            status, answer = work()
            return Response(answer, status=status)
        # The digest stands for the body, which need not be JSON.
        data = [hashlib.sha256(body).hexdigest(), query.urlencode()]
        status, answer, replayed = keep_once(
            account=request.user, route=route_of(request), key=key, data=data, work=work
        )
        headers = {"Idempotent-Replayed": "true"} if replayed else None
        return Response(answer, status=status, headers=headers)


class ExportView(APIView):
    """The definition as a file."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="quizzes_export",
        summary="Export a definition as a file",
        description="The draft, or a version byte by byte. `quizzes/import/` reads it again.",
        parameters=[COMPANY, ID, OpenApiParameter("version", OpenApiTypes.INT)],
        responses={200: OpenApiResponse({"type": "object"})},
    )
    def get(self, request: Request, company: str, id: str) -> HttpResponseBase:
        quiz = quiz_for(request.user, company, id)
        content = exported(quiz, request.query_params.get("version"))
        return as_file(quiz, content)


def file_read(format: str, data: bytes, language: str) -> Imported:
    """Return what a file comes to. Raise ``ValidationFailed``."""
    if format not in FORMATS:
        detail = f"Give one of {', '.join(FORMATS)}."
        raise ValidationFailed([FieldError("invalid", detail, "format")])
    if not (language.isascii() and language.isalpha() and 2 <= len(language) <= 3):
        detail = "Give a language such as en."
        raise ValidationFailed([FieldError("invalid", detail, "language")])
    try:
        imported = definition_import(format, data, language.lower())
    except Invalid as invalid:
        raise refusal(invalid.errors) from None
    if not imported.questions and format != "quiz":
        detail = _("There is no question in the file that can be imported.")
        if imported.skipped:
            first = imported.skipped[0]
            place = _("Line %(line)s: ") % {"line": first.line} if first.line else ""
            detail += f" {place}{first.detail}"
        raise ValidationFailed([FieldError("no_questions", detail, "file")])
    return imported


def slug_of(imported: Imported, data: bytes) -> str:
    """Return a slug from the title; the end, from the content, keeps equal titles apart."""
    titles = imported.definition["title"]
    title = next(iter(titles.values()), "") if isinstance(titles, dict) else ""
    ending = hashlib.sha256(data).hexdigest()[:6]
    key = key_of(str(title), set(), "quiz", most=SLUG_MAX_LENGTH - len(ending) - 1)
    return f"{key.replace('_', '-')}-{ending}"


def imported_data(imported: Imported, quiz: Quiz | None) -> dict[str, Any]:
    """Return what was taken over, as the API shows it."""
    return {
        "id": None if quiz is None else str(quiz.pk),
        "slug": None if quiz is None else quiz.slug,
        "questions": imported.questions,
        "skipped": [each._asdict() for each in imported.skipped],
        "notes": [each._asdict() for each in imported.notes],
    }


def exported(quiz: Quiz, version: str | None) -> bytes:
    """Return the canonical bytes of a version, or of the draft. Raise ``NotFound``.

    A draft that is not complete yet is in canonical JSON as it stands.
    """
    if version is not None:
        if not (version.isascii() and version.isdigit() and len(version) < 10):
            raise NotFound()
        return version_of(quiz, int(version)).definition.encode()
    try:
        return canonical(parse(quiz.draft))
    except Invalid as invalid:
        raise refusal(invalid.errors) from None


def as_file(quiz: Quiz, content: bytes) -> HttpResponse:
    """Return the response that a browser saves."""
    response = HttpResponse(content, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{quiz.slug}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValidationFailed([FieldError("invalid", "Give 0 or 1.", "dry_run")])
    return text == "1"


def _body(request: Request) -> bytes:
    data: Any = request.data
    if isinstance(data, bytes):
        return data
    file = data.get("file") if data else None
    if isinstance(file, str):
        return file.encode()
    if file is None:
        raise ValidationFailed([FieldError("required", "Send the file.", "file")])
    return bytes(file.read(MAX_BYTES + 1))
