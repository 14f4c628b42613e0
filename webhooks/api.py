"""The API of webhooks."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import actor_of
from accounts.permissions import Permission as P
from accounts.rules import needs
from people.idempotency import answer_once
from shop.core.bodies import read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.idempotency import IDEMPOTENCY_KEY, parse_idempotency_key
from shop.core.pagination import PAGE_PARAMETERS, KeysetPagination, page_schema
from shop.core.schema import (
    ACCEPTED_PERMISSIONS,
    BODY_OPTIONAL,
    KEY_REUSED,
    LOCATION,
    REPLAYED,
    Answer,
    answers,
    envelope,
)
from shop.core.times import iso
from webhooks import addresses, services
from webhooks.models import Delivery, Endpoint
from webhooks.ranges import numbers_of
from webhooks.selectors import deliveries_of, delivery_of, endpoint_of, endpoints_for
from webhooks.serializers import (
    DeliverySerializer,
    ReplayedSerializer,
    ReplaySerializer,
    RotateSerializer,
    SecretSerializer,
    WebhookChangeSerializer,
    WebhookInputSerializer,
    WebhookMadeSerializer,
    WebhookSerializer,
    delivery_data,
    endpoint_data,
)

WEBHOOKS = "/api/v1/webhooks/"
EXAMPLE = {
    "id": "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10",
    "url": "https://example.com/events",
    "username": "joe",
    "userid": "005",
    "events": ["purchase.recorded"],
    "scope": "mine",
    "batch": 1,
    "state": "active",
    "disabled_reason": "",
    "position": 1024,
    "failing_since": None,
    "next_attempt_at": None,
    "created_at": "2026-05-01T08:00:00.000000Z",
}
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105
_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_DELIVERY = OpenApiParameter("delivery", OpenApiTypes.UUID, OpenApiParameter.PATH)
_REPLAYED = {"Idempotent-Replayed": REPLAYED}
_NEEDED = Answer(headers={"Accepted-Permissions": ACCEPTED_PERMISSIONS})
_STATE = envelope("It is disabled (`webhook_disabled`), or busy with such (`replay_limit`).")


def _one(delivery: Delivery) -> dict[str, Any]:
    return delivery_data(delivery, list(delivery.log.all()))


class WebhookListView(APIView):
    """Webhooks."""

    required = {"GET": needs(P.WEBHOOKS_READ), "POST": needs(P.WEBHOOKS_WRITE)}

    @extend_schema(
        operation_id="webhooks_list",
        summary="List webhooks, newest first",
        parameters=PAGE_PARAMETERS,
        responses={200: OpenApiResponse(page_schema(WebhookSerializer))},
    )
    def get(self, request: Request) -> Response:
        paginator = KeysetPagination()
        found = paginator.paginate_keys([endpoints_for(actor_of(request))], request)
        return paginator.get_paginated_response([endpoint_data(each) for each in found])

    @extend_schema(
        operation_id="webhooks_create",
        summary="Let an address be told of events",
        description=(
            "Messages and signatures are those of Standard Webhooks 1.0. The `secret` is shown in "
            "this answer only. Everybody's events (`scope` `all`) need `webhooks:write_all`, and "
            "the right to read them. An address inside a network is `url_not_allowed`."
        ),
        parameters=[IDEMPOTENCY_KEY],
        extensions=answers(
            {"201": Answer(headers={**_REPLAYED, "Location": LOCATION}), "403": _NEEDED}
        ),
        request=WebhookInputSerializer,
        responses={
            201: WebhookMadeSerializer,
            409: envelope(
                "The account has too many (`webhook_limit`), or `after` was never "
                "given out (`position_unknown`)."
            ),
            422: KEY_REUSED,
        },
        examples=[
            OpenApiExample(
                "my purchases",
                {"url": "https://example.com/events", "events": ["purchase.recorded"]},
                request_only=True,
            ),
            OpenApiExample("the webhook", EXAMPLE | {"secret": _SECRET}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        parse_idempotency_key(request.headers.get("Idempotency-Key"))
        given = read(WebhookInputSerializer, request)
        types = numbers_of(given["events"])
        # It looks the name up, which no transaction waits for.
        addresses.check(given["url"])

        def work() -> tuple[int, Any]:
            endpoint = services.endpoint_create(
                actor=actor_of(request),
                url=given["url"],
                types=types,
                everything=given["scope"] == "all",
                after=given["after"],
                batch=given["batch"],
            )
            return 201, endpoint_data(endpoint)

        answer = answer_once(request, work)
        # What is kept for a repeated request has no secret in it.
        endpoint = Endpoint.objects.filter(pk=answer.data["id"]).first()
        secret = services.secret_of(endpoint) if endpoint is not None else ""
        answer.data = {**answer.data, "secret": secret}
        answer["Location"] = f"{WEBHOOKS}{answer.data['id']}/"
        return answer


class WebhookView(APIView):
    """One webhook."""

    required = {
        "GET": needs(P.WEBHOOKS_READ),
        "PATCH": needs(P.WEBHOOKS_WRITE),
        "DELETE": needs(P.WEBHOOKS_WRITE),
    }

    @extend_schema(
        operation_id="webhooks_retrieve",
        summary="Show a webhook",
        parameters=[_ID],
        responses={200: WebhookSerializer},
        examples=[OpenApiExample("the webhook", EXAMPLE, response_only=True)],
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(endpoint_data(endpoint_of(actor_of(request), id)))

    @extend_schema(
        operation_id="webhooks_update",
        summary="Change a webhook",
        description=(
            "`state` `disabled` stops it. `active` lets it go on from its position, and nothing is "
            "lost."
        ),
        parameters=[_ID],
        extensions={**answers({"403": _NEEDED}), BODY_OPTIONAL: True},
        request=WebhookChangeSerializer,
        responses={200: WebhookSerializer},
    )
    def patch(self, request: Request, id: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id, to_change=True)
        given = read(WebhookChangeSerializer, request)
        if "url" in given:
            addresses.check(given["url"])
        endpoint = services.endpoint_change(
            actor=actor_of(request),
            endpoint=endpoint,
            url=given.get("url"),
            types=numbers_of(given["events"]) if "events" in given else None,
            state=given.get("state"),
        )
        return Response(endpoint_data(endpoint))

    @extend_schema(
        operation_id="webhooks_destroy",
        summary="Delete a webhook",
        parameters=[_ID],
        responses={204: OpenApiResponse(description="It is deleted, with its deliveries.")},
    )
    def delete(self, request: Request, id: str) -> Response:
        user = actor_of(request)
        services.endpoint_delete(actor=user, endpoint=endpoint_of(user, id, to_change=True))
        return Response(status=204)


class TestView(APIView):
    """A message to try a webhook out."""

    required = {"POST": needs(P.WEBHOOKS_WRITE)}

    @extend_schema(
        operation_id="webhooks_test",
        summary="Send a message without events",
        description="Its `type` is `webhook.test`. It is sent once, also while a receiver fails.",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"202": Answer(headers=_REPLAYED)}),
        request=None,
        responses={202: DeliverySerializer, 409: _STATE, 422: KEY_REUSED},
    )
    def post(self, request: Request, id: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id, to_change=True)
        return answer_once(
            request, lambda: (202, delivery_data(services.test_send(endpoint=endpoint), []))
        )


class RotateView(APIView):
    """A new secret."""

    required = {"POST": needs(P.WEBHOOKS_WRITE)}

    @extend_schema(
        operation_id="webhooks_rotate_secret",
        summary="Replace the secret",
        description="During the overlap each message has two signatures, one by each secret.",
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"200": Answer(headers=_REPLAYED)}),
        request=RotateSerializer,
        responses={200: SecretSerializer, 422: KEY_REUSED},
    )
    def post(self, request: Request, id: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id, to_change=True)
        hours = read(RotateSerializer, request)["overlap_hours"]

        def work() -> tuple[int, Any]:
            rotated = services.secret_rotate(
                actor=actor_of(request), endpoint=endpoint, overlap_hours=hours
            )
            until = rotated.previous_until
            return 200, {"previous_until": None if until is None else iso(until)}

        answer = answer_once(request, work)
        endpoint.refresh_from_db()
        answer.data = {"secret": services.secret_of(endpoint), **answer.data}
        return answer


class ReplayView(APIView):
    """Old events, once more."""

    required = {"POST": needs(P.WEBHOOKS_WRITE)}

    @extend_schema(
        operation_id="webhooks_replay",
        summary="Send a range of events again",
        description=(
            "New messages with ids of their own, beside what is new. The webhook's position does "
            "not move."
        ),
        parameters=[_ID, IDEMPOTENCY_KEY],
        extensions=answers({"202": Answer(headers=_REPLAYED), "403": _NEEDED}),
        request=ReplaySerializer,
        responses={202: ReplayedSerializer, 409: _STATE, 422: KEY_REUSED},
        examples=[OpenApiExample("a range", {"after": 100, "until": 200}, request_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id, to_change=True)
        given = read(ReplaySerializer, request)

        def work() -> tuple[int, Any]:
            first, until = services.replay_start(
                actor=actor_of(request),
                endpoint=endpoint,
                after=given["after"],
                until=given["until"],
            )
            shown = None if first is None else delivery_data(first, [])
            return 202, {"after": given["after"], "until": until, "delivery": shown}

        return answer_once(request, work)


class DeliveryListView(APIView):
    """Deliveries to one webhook."""

    required = {"GET": needs(P.WEBHOOKS_READ)}

    @extend_schema(
        operation_id="webhooks_deliveries",
        summary="List the deliveries of a webhook, newest first",
        parameters=[
            _ID,
            OpenApiParameter("state", OpenApiTypes.STR, enum=Delivery.State.values),
            *PAGE_PARAMETERS,
        ],
        responses={200: OpenApiResponse(page_schema(DeliverySerializer))},
    )
    def get(self, request: Request, id: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id)
        state = request.query_params.get("state", "")
        if state and state not in Delivery.State.values:
            detail = "state is pending, delivered or failed."
            raise ValidationFailed([FieldError("invalid", detail, "state")])
        paginator = KeysetPagination()
        rows = deliveries_of(endpoint, state).prefetch_related("log")
        found = paginator.paginate_keys([rows], request)
        return paginator.get_paginated_response([_one(each) for each in found])


class DeliveryView(APIView):
    """One delivery."""

    required = {"GET": needs(P.WEBHOOKS_READ)}

    @extend_schema(
        operation_id="webhooks_delivery",
        summary="Show a delivery and its attempts",
        parameters=[_ID, _DELIVERY],
        responses={200: DeliverySerializer},
    )
    def get(self, request: Request, id: str, delivery: str) -> Response:
        return Response(_one(delivery_of(endpoint_of(actor_of(request), id), delivery)))


class RetryView(APIView):
    """A delivery, at once."""

    required = {"POST": needs(P.WEBHOOKS_WRITE)}

    @extend_schema(
        operation_id="webhooks_retry",
        summary="Try a delivery again at once",
        description="Under the same id. One that failed has all its attempts again.",
        parameters=[_ID, _DELIVERY, IDEMPOTENCY_KEY],
        extensions=answers({"202": Answer(headers=_REPLAYED)}),
        request=None,
        responses={
            202: DeliverySerializer,
            409: envelope(
                "It was delivered (`already_delivered`), or the webhook is disabled "
                "(`webhook_disabled`)."
            ),
            422: KEY_REUSED,
        },
    )
    def post(self, request: Request, id: str, delivery: str) -> Response:
        endpoint = endpoint_of(actor_of(request), id, to_change=True)
        found = delivery_of(endpoint, delivery)
        return answer_once(
            request,
            lambda: (202, _one(services.delivery_retry(endpoint=endpoint, delivery=found))),
        )
