"""The shapes of the API of webhooks."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from accounts.serializers import TextField
from shop.core.bodies import Body
from shop.core.times import iso
from webhooks.models import BATCH_MAX, URL_MAX_LENGTH, Attempt, Delivery, Endpoint
from webhooks.ranges import names_of
from webhooks.services import OVERLAP_HOURS, OVERLAP_HOURS_MAX

TYPES_MAX = 100
POSITION_MAX = 2**63 - 1
SCOPES = ("mine", "all")


def _events(**options: Any) -> serializers.ListField:
    child = TextField(max_length=60)
    return serializers.ListField(
        child=child,
        min_length=1,
        max_length=TYPES_MAX,
        help_text="Names from `/api/v1/events/types/`.",
        **options,
    )


def _position(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=POSITION_MAX, **options)


class WebhookInputSerializer(Body):
    url = TextField(max_length=URL_MAX_LENGTH)
    events = _events()
    scope = serializers.ChoiceField(choices=SCOPES, default="mine")
    after = _position(
        default=None,
        allow_null=True,
        help_text="The position to begin after; null is the end of the log.",
    )
    batch = serializers.IntegerField(
        min_value=1, max_value=BATCH_MAX, default=1, help_text="Events in one delivery, at most."
    )


class WebhookChangeSerializer(Body):
    url = TextField(max_length=URL_MAX_LENGTH, required=False)
    events = _events(required=False)
    state = serializers.ChoiceField(choices=Endpoint.State.values, required=False)


class RotateSerializer(Body):
    overlap_hours = serializers.IntegerField(
        min_value=0,
        max_value=OVERLAP_HOURS_MAX,
        default=OVERLAP_HOURS,
        help_text="How long the old secret signs, too.",
    )


class ReplaySerializer(Body):
    after = _position(help_text="The events after this position are sent again.")
    until = _position(default=None, allow_null=True, help_text="Null is the end of the log.")


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    username = serializers.CharField()
    userid = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    scope = serializers.ChoiceField(choices=SCOPES)
    batch = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Endpoint.State.values)
    disabled_reason = serializers.ChoiceField(choices=["", *Endpoint.Reason.values])
    position = serializers.IntegerField(help_text="Everything up to it was delivered.")
    failing_since = serializers.DateTimeField(allow_null=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class WebhookMadeSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="It is shown in this answer only.")


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="It is shown in this answer only.")
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the old secret signs, too."
    )


class AttemptSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    milliseconds = serializers.IntegerField()
    error = serializers.CharField(help_text="Why there was no complete answer; else empty.")
    response_start = serializers.CharField(help_text="At most 1000 characters of the answer.")


class DeliverySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The `webhook-id`.")
    kind = serializers.ChoiceField(choices=Delivery.Kind.values)
    state = serializers.ChoiceField(choices=Delivery.State.values)
    after = serializers.IntegerField()
    until = serializers.IntegerField()
    events = serializers.IntegerField(help_text="How many events it holds.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptSerializer(many=True)


class ReplayedSerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField()
    until = serializers.IntegerField()
    delivery = DeliverySerializer(
        allow_null=True, help_text="The first delivery; null if the range holds no event for it."
    )


def endpoint_data(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as the API shows it."""
    return {
        "id": str(endpoint.pk),
        "url": endpoint.url,
        "username": endpoint.owner.username,
        "userid": endpoint.owner.userid,
        "events": names_of(endpoint.types),
        "scope": "all" if endpoint.everything else "mine",
        "batch": endpoint.batch,
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "position": endpoint.position,
        "failing_since": _moment(endpoint.failing_since),
        "next_attempt_at": _moment(endpoint.retry_at),
        "created_at": iso(endpoint.created_at),
    }


def delivery_data(delivery: Delivery, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return a delivery and its attempts as the API shows them."""
    return {
        "id": str(delivery.pk),
        "kind": delivery.kind,
        "state": delivery.state,
        "after": delivery.after,
        "until": delivery.until,
        "events": delivery.events,
        "created_at": iso(delivery.created_at),
        "finished_at": _moment(delivery.finished_at),
        "attempts": [
            {
                "at": iso(attempt.at),
                "status": attempt.status,
                "milliseconds": attempt.milliseconds,
                "error": attempt.error,
                "response_start": attempt.response_start,
            }
            for attempt in attempts
        ],
    }


def _moment(moment: Any) -> str | None:
    return None if moment is None else iso(moment)
