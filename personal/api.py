"""Everything that is stored about an account, and its erasure, in the API."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import ON_PAGES, RECENT, SIGNED_IN, needs
from documents.downloads import Gone, NotReady, download
from documents.models import Document
from personal import exports, services
from personal.kinds import Export
from personal.models import Erasure
from personal.serializers import (
    ErasureInputSerializer,
    ErasureOrderSerializer,
    ErasureSerializer,
    ExportSerializer,
)
from shop.core.admission import account_holder
from shop.core.bodies import read
from shop.core.errors import NotFound
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.schema import REPLAYED, Answer, answers, envelope

_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_EXPORT = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "status": "queued",
    "created_at": "2024-06-01T08:00:00.000000Z",
    "ready_at": None,
    "expires_at": None,
    "size": None,
    "sha256": "",
}
_ERASURE = {
    "status": "scheduled",
    "requested_at": "2024-06-01T08:00:00.000000Z",
    "due_at": "2024-06-15T08:00:00.000000Z",
}


def _export_data(export: Document) -> Any:
    made = export.rendered_at
    return ExportSerializer(
        {
            "id": export.pk,
            "status": exports.status_of(export),
            "created_at": export.created_at,
            "ready_at": made,
            "expires_at": made + Export().kept() if made else None,
            "size": export.size,
            "sha256": export.sha256,
        }
    ).data


def _erasure_data(erasure: Erasure) -> Any:
    return ErasureSerializer(
        {
            "status": "erased" if erasure.erased_at else "scheduled",
            "requested_at": erasure.requested_at,
            "due_at": erasure.due_at,
        }
    ).data


class ExportListView(APIView):
    """Exports of one's own data."""

    required = {"POST": RECENT}

    @extend_schema(
        operation_id="exports_create",
        tags=["accounts"],
        summary="Ask for everything that is stored about you",
        description=(
            "A worker writes a zip: a file of NDJSON for each kind of data, complete, a manifest "
            "that counts the rows, and a README. `purchases.ndjson` is what the bulk route of "
            "another installation takes. No password, key or digest is in it. An export that is "
            "not finished is the same export. The archive is kept for seven days."
        ),
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        extensions=answers(
            {
                "202": Answer(
                    headers={"Idempotent-Replayed": REPLAYED},
                    links={"the export": ("exports_retrieve", {"id": "$response.body#/id"})},
                )
            }
        ),
        responses={
            202: ExportSerializer,
            429: envelope("Too many exports today."),
        },
        examples=[OpenApiExample("the export", _EXPORT, response_only=True)],
    )
    def post(self, request: Request) -> Response:
        key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
        export, replayed = exports.export_request(user=actor_of(request), idempotency_key=key)
        headers = {"Idempotent-Replayed": "true"} if replayed and key else None
        return Response(_export_data(export), status=202, headers=headers)


class ExportView(APIView):
    """One export."""

    required = {"GET": SIGNED_IN}

    @extend_schema(
        operation_id="exports_retrieve",
        tags=["accounts"],
        summary="Show an export of your data",
        parameters=[_ID],
        responses={200: ExportSerializer},
        examples=[OpenApiExample("the export", _EXPORT, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(_export_data(exports.export_of(actor_of(request), id)))


class ArchiveView(APIView):
    """The archive of an export. A browser session may download it, a token may not."""

    required = {"GET": ON_PAGES}

    @extend_schema(
        operation_id="exports_archive",
        tags=["accounts"],
        summary="Download an export of your data",
        description="The whole file or one range of bytes (`Range`), with an `ETag`.",
        parameters=[_ID],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The client's copy is current (`If-None-Match`)."),
            409: envelope("It is not ready yet (`not_ready`)."),
            410: envelope("It is over seven days old (`gone`)."),
            412: envelope("The file differs from `If-Match`."),
            416: envelope("The range is beyond the end of the file."),
        },
    )
    def get(self, request: Request, id: str) -> Any:
        user = actor_of(request)
        export = exports.export_of(user, id)
        if exports.is_over(export):
            raise Gone("The archive is no longer kept. Ask for another one.")
        if not export.is_stored:
            raise NotReady("The archive is not ready yet.")
        answer = download(request._request, export, account_holder(user.pk))
        # A browser would keep a copy in its cache, beyond the seven days and an erasure.
        answer["Cache-Control"] = "private, no-store"
        return answer


class OwnErasureView(APIView):
    """The erasure of one's own account."""

    required = {"GET": SIGNED_IN, "POST": RECENT, "DELETE": RECENT}

    @extend_schema(
        operation_id="erasure_retrieve",
        tags=["accounts"],
        summary="Show whether your account is to be erased",
        responses={
            200: ErasureSerializer,
            404: envelope("It is not."),
        },
        examples=[OpenApiExample("the erasure", _ERASURE, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        erasure = services.erasure_of(actor_of(request))
        if erasure is None:
            raise NotFound()
        return Response(_erasure_data(erasure))

    @extend_schema(
        operation_id="erasure_create",
        tags=["accounts"],
        summary="Let your account be erased",
        description=(
            "After 14 days everything that tells who you are is deleted, and cannot be brought "
            "back. Purchases stay in the shop's books, without a name. Until then you may sign in "
            "and cancel it. Give your own username, so that nothing happens by mistake."
        ),
        request=ErasureInputSerializer,
        responses={
            202: ErasureSerializer,
            409: envelope(
                "The law asks for the data (`held`), or nobody else may administer "
                "accounts (`last_admin`)."
            ),
        },
        examples=[
            OpenApiExample("joe", {"username": "joe"}, request_only=True),
            OpenApiExample("the erasure", _ERASURE, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(ErasureInputSerializer, request)
        erasure = services.erasure_schedule(user=actor_of(request), **given)
        return Response(_erasure_data(erasure), status=202)

    @extend_schema(
        operation_id="erasure_cancel",
        tags=["accounts"],
        summary="Keep your account",
        request=None,
        responses={204: None, 404: envelope("None is scheduled.")},
    )
    def delete(self, request: Request) -> Response:
        services.erasure_cancel(user=actor_of(request))
        return Response(status=204)


class ErasureView(APIView):
    """The erasure of somebody's account."""

    required = {"POST": needs(P.ACCOUNTS_ADMIN, recent=True)}

    @extend_schema(
        operation_id="erasure_order",
        tags=["accounts"],
        summary="Erase somebody's account",
        description=(
            "With `now` at once, otherwise after 14 days, in which the person may cancel it. "
            "Nobody erases somebody who may do more than themselves."
        ),
        parameters=[OpenApiParameter("userid", OpenApiTypes.STR, OpenApiParameter.PATH)],
        request=ErasureOrderSerializer,
        responses={
            202: ErasureSerializer,
            409: envelope(
                "The law asks for the data (`held`), nobody else may administer "
                "accounts (`last_admin`), or it is done (`already_erased`)."
            ),
        },
        examples=[
            OpenApiExample(
                "at once",
                {"username": "joe", "reason": "asked for by letter", "now": True},
                request_only=True,
            ),
            OpenApiExample("the erasure", _ERASURE, response_only=True),
        ],
    )
    def post(self, request: Request, userid: str) -> Response:
        given = read(ErasureOrderSerializer, request)
        erasure = services.erasure_order(actor=actor_of(request), userid=userid, **given)
        return Response(_erasure_data(erasure), status=202)
