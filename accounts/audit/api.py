"""The REST API of the audit."""

import re
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.audit.exports import AT_ONCE, CSV, JSONL, entries_export
from accounts.audit.listing import ByNumber, entries_matching, entries_of, shown
from accounts.audit.serializers import AuditPageSerializer, AuditVerdictSerializer
from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from accounts.sessions.api import WHOLE, check_whole
from audit.sealing import checkpoint_latest
from audit.verification import verify
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.pagination import PAGE_PARAMETERS
from shop.core.schema import envelope

VERIFIED_AT_ONCE = 5000
_READERS = needs(P.AUDIT_READ_ALL)
_SEQ = {"type": "integer", "format": "int64", "minimum": 1}
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_FILTERS = [
    OpenApiParameter(
        "since", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
    ),
    OpenApiParameter(
        "until", OpenApiTypes.STR, description="A day or a time with an offset, inclusive."
    ),
    OpenApiParameter(
        "actor", OpenApiTypes.STR, description="`account:<id>`, a username or a userid."
    ),
    OpenApiParameter(
        "account", OpenApiTypes.STR, description="The same, of whom the entry is about."
    ),
    OpenApiParameter(
        "action", OpenApiTypes.STR, description="Such as `key.created`, or a part, `key`."
    ),
    OpenApiParameter("object", OpenApiTypes.STR, description="Such as `account:42`."),
    OpenApiParameter("from", _SEQ, description="The lowest number."),
    OpenApiParameter("to", _SEQ, description="The highest number."),
]
_EXAMPLE = {
    "seq": 17,
    "at": "2026-11-27T00:30:12.004211Z",
    "actor": "account:3",
    "action": "account.changed",
    "object": "account:42",
    "account": "account:42",
    "before": {"is_active": True},
    "after": {"is_active": False},
    "credential": "session:6c1f0e5d9a2b4c7e8f3a1d0b5e6c7f80",
    "request_id": "f3a1d0b5e6c7f806c1f0e5d9a2b4c7e8",
    "commitment": "9d5ed678fe57bcca610140957afab571f6cb1b9bd7b3a5bd0a6f9d3f2c4e7b10",
    "previous": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "hash": "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
    "personal": {"address": "192.0.2.7", "salt": "0c7e6a405862e402eb76a70f8a26fc73"},
    "actor_name": "staff",
}
_EXPORTS = (
    f"The entries that pass the filters, in the order of the chain, {AT_ONCE} at most; the header "
    "`Link` has the address of the next file. The export is recorded, too."
)
_PAGE = OpenApiResponse(
    response=AuditPageSerializer,
    examples=[OpenApiExample("page", {"next": None, "previous": None, "results": [_EXAMPLE]})],
)


class AuditListView(APIView):
    """Everybody's entries."""

    required = {"GET": _READERS}

    @extend_schema(
        operation_id="audit_list",
        summary="List what was changed by whom, newest first",
        description=(
            "The sealed entries; one is sealed about a second after its change. "
            "`docs/audit.md` has all actions, and the bytes that a hash covers."
        ),
        parameters=[
            *_FILTERS,
            *PAGE_PARAMETERS,
        ],
        responses={200: _PAGE},
    )
    def get(self, request: Request) -> Response:
        paginator = ByNumber()
        rows = paginator.paginate_queryset(entries_matching(request.query_params), request)
        return paginator.get_paginated_response([each.as_data() for each in shown(rows)])


class AuditCSVView(APIView):
    """The entries as CSV."""

    required = {"GET": _READERS}

    @extend_schema(
        operation_id="audit_export_csv",
        summary="Export the audit as CSV",
        description=_EXPORTS,
        parameters=_FILTERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        return entries_export(request._request, CSV, actor_id=actor_of(request).pk)


class AuditJSONLView(APIView):
    """The entries as JSON lines."""

    required = {"GET": _READERS}

    @extend_schema(
        operation_id="audit_export_jsonl",
        summary="Export the audit as JSON lines",
        description=f"{_EXPORTS} `examples/verify_audit.py` checks such a file.",
        parameters=_FILTERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        return entries_export(request._request, JSONL, actor_id=actor_of(request).pk)


class MyAuditView(APIView):
    """The caller's entries."""

    required = {"GET": WHOLE}

    @extend_schema(
        operation_id="accounts_me_audit",
        summary="List what you changed, and what was changed about you",
        description="`personal` and `actor_name` are left out where another account is the actor.",
        parameters=PAGE_PARAMETERS,
        responses={200: _PAGE},
    )
    def get(self, request: Request) -> Response:
        user = actor_of(request)
        check_whole(user)
        paginator = ByNumber()
        rows = paginator.paginate_queryset(entries_of(user), request)
        return paginator.get_paginated_response(
            [each.as_data() for each in shown(rows, reader=user)]
        )


class AuditVerifyView(APIView):
    """The verification of a part of the chain."""

    required = {"GET": _READERS}

    @extend_schema(
        operation_id="audit_verify",
        summary="Verify a part of the chain",
        description=(
            f"At most {VERIFIED_AT_ONCE} entries; `next` is where to go on. Entries that were "
            "changed, removed, reordered, replaced or cut off are named."
        ),
        parameters=[
            OpenApiParameter("from", _SEQ, description="Default 1."),
            OpenApiParameter("to", _SEQ, description="Default: the end."),
        ],
        responses={200: AuditVerdictSerializer},
    )
    def get(self, request: Request) -> Response:
        since = _seq(request, "from") or 1
        to = _seq(request, "to")
        if to is not None and to < since:
            raise ValidationFailed([FieldError("invalid", "It is less than `from`.", "to")])
        bound = since + VERIFIED_AT_ONCE - 1
        verdict = verify(since, to if to is not None and to <= bound else bound)
        ends = bound >= verdict.head if to is None else bound >= min(to, verdict.head)
        return Response(
            {
                "ok": not verdict.findings,
                "from": since,
                "to": verdict.until,
                "checked": verdict.checked,
                "head": verdict.head,
                "erased": verdict.erased,
                "findings": [asdict(finding) for finding in verdict.findings],
                "next": None if ends else bound + 1,
            }
        )


class AuditCheckpointView(APIView):
    """The newest signed note."""

    required = {"GET": _READERS}

    @extend_schema(
        operation_id="audit_checkpoint",
        summary="Get a signed note of how far the chain reaches",
        description=(
            "Keep it outside of the shop. `manage.py verify_audit --checkpoint FILE` and "
            "`examples/verify_audit.py` compare the chain with it. Its form is that of "
            "c2sp.org/signed-note."
        ),
        responses={
            (200, "text/plain"): OpenApiTypes.STR,
            404: envelope("The chain is empty."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        note = checkpoint_latest()
        if note is None:
            raise NotFound()
        return HttpResponse(note, content_type="text/plain; charset=utf-8")


def _seq(request: Request, name: str) -> int | None:
    text: Any = request.query_params.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise ValidationFailed([FieldError("invalid", "Give the number of an entry.", name)])
    return int(text)
