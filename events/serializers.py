"""The shapes of the event log's API, for the documentation."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"$ref": "#/components/schemas/Purchase"})
class PurchaseField(serializers.Field[Any, Any, Any, Any]):
    """A purchase, whose shape the ledger's own API has."""


class EventSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    event = serializers.ChoiceField(choices=["purchase.recorded"])
    at = serializers.DateTimeField()
    purchase = PurchaseField()


class EventPageSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True)
    position = serializers.IntegerField(help_text="Give it as `after` next time.")
