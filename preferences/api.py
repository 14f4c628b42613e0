"""The API of settings at run time."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import Permission as P
from accounts.rules import needs
from people.idempotency import answer_once
from preferences import selectors, services
from preferences.schema import changes_schema
from preferences.serializers import (
    RestoreSerializer,
    SettingChangeSerializer,
    SettingsSerializer,
    change_data,
    settings_data,
)
from shop.core.bodies import read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import KEY_REUSED, REPLAYED, Answer, answers, envelope

READ = needs(P.SETTINGS_READ_ALL)
WRITE = needs(P.SETTINGS_WRITE_ALL)
_CHANGED = envelope("The version is another one than `If-Match` says (`version_changed`).")
_ETAG = {"description": "The version, in quotes.", "schema": {"type": "string"}}
_IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of what the change was made from. Without it, any version will do.",
    examples=[OpenApiExample("version 17", '"17"')],
)


class SettingsView(APIView):
    """The settings of the shop."""

    required = {"GET": READ, "PATCH": WRITE}

    @extend_schema(
        operation_id="settings_retrieve",
        tags=["settings"],
        summary="Show all settings at run time",
        extensions=answers({"200": Answer(headers={"ETag": _ETAG})}),
        responses={
            200: SettingsSerializer,
            304: OpenApiResponse(description="The client's copy is current (`If-None-Match`)."),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        return _settings(request)

    @extend_schema(
        operation_id="settings_change",
        tags=["settings"],
        summary="Change settings at run time",
        description=(
            "All of the changes take place, as a new version, or none. `null` resets a setting to "
            "its default. They are in force in every process within 5 seconds."
        ),
        parameters=[_IF_MATCH],
        extensions=answers({"200": Answer(headers={"ETag": _ETAG})}),
        request={"application/json": changes_schema()},
        responses={
            200: SettingsSerializer,
            409: envelope("The environment fixes a setting (`set_by_environment`)."),
            412: _CHANGED,
        },
        examples=[
            OpenApiExample(
                "more sockets", {"quota_sockets": 40, "default_currency": None}, request_only=True
            )
        ],
    )
    def patch(self, request: Request) -> HttpResponseBase:
        if not isinstance(request.data, dict):
            raise ValidationFailed([FieldError("invalid", "Give an object of settings by name.")])
        services.settings_change(
            actor=request.user, changes=request.data, expected=_expected(request)
        )
        return _settings(request)


class HistoryView(APIView):
    """Changes of settings."""

    required = {"GET": READ}

    @extend_schema(
        operation_id="settings_history",
        tags=["settings"],
        summary="List changes of settings, newest first",
        description="`null` as a value says that the default counted.",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("name", OpenApiTypes.STR, description="Of this setting only."),
        ],
        responses={200: OpenApiResponse(page_schema(SettingChangeSerializer))},
    )
    def get(self, request: Request) -> Response:
        pages = KeysetPagination()
        pages.number_field = "pk"
        changes = pages.paginate_queryset(
            selectors.history(request.query_params.get("name")), request, self
        )
        names = selectors.names_of(change.changed_by_id for change in changes)
        found = [change_data(change, names) for change in changes]
        return pages.get_paginated_response(SettingChangeSerializer(found, many=True).data)


class RestoreView(APIView):
    """An earlier version of the settings."""

    required = {"POST": WRITE}

    @extend_schema(
        operation_id="settings_restore",
        tags=["settings"],
        summary="Restore an earlier version of the settings",
        description=(
            "Every setting gets the value that it had at that version, as a new version. 0 is "
            "before the first change. What the environment fixes stays."
        ),
        parameters=[_IF_MATCH, IDEMPOTENCY_KEY],
        extensions=answers({"200": Answer(headers={"Idempotent-Replayed": REPLAYED})}),
        request=RestoreSerializer,
        responses={
            200: SettingsSerializer,
            412: _CHANGED,
            422: KEY_REUSED,
        },
        examples=[OpenApiExample("version 15", {"version": 15}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        given = read(RestoreSerializer, request)

        def work() -> tuple[int, Any]:
            services.settings_restore(actor=request.user, expected=_expected(request), **given)
            return 200, SettingsSerializer(settings_data(*selectors.shown_settings())).data

        response = answer_once(request, work)
        response["ETag"] = f'"{response.data["version"]}"'
        return response


def _settings(request: Request) -> HttpResponseBase:
    version, shown = selectors.shown_settings()
    etag = f'"{version}"'
    response = Response(
        SettingsSerializer(settings_data(version, shown)).data, headers={"ETag": etag}
    )
    if request.method == "PATCH":
        return response
    conditional = get_conditional_response(request._request, etag=etag, response=response)
    return conditional or response


def _expected(request: Request) -> set[int] | None:
    """Return the versions that the client would change; ``None`` is any."""
    header = request.headers.get("If-Match", "").strip()
    if header in ("", "*"):
        return None
    given = {tag.strip('"') for tag in parse_etags(header)} or {header}
    return {int(tag) for tag in given if tag.isascii() and tag.isdigit() and len(tag) < 19}
