"""The shapes of the event log's API, for the documentation."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers


@extend_schema_field({"$ref": "#/components/schemas/Purchase"})
class PurchaseField(serializers.Field[Any, Any, Any, Any]):
    """A purchase, whose shape the ledger's own API has."""


class PurchaseRecordedSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    event = serializers.ChoiceField(choices=["purchase.recorded"])
    at = serializers.DateTimeField()
    purchase = PurchaseField()


class OtherEventSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    event = serializers.CharField(help_text="The event's type, such as `invoice.issued`.")
    at = serializers.DateTimeField()
    customer = serializers.CharField(
        allow_null=True, help_text="The userid of the customer it is about, if it is about one."
    )
    # A field called `data` would hide the serializer's own property.
    locals()["data"] = serializers.DictField(help_text="Has the schema of the type.")


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="Event",
        serializers=[PurchaseRecordedSerializer, OtherEventSerializer],
        resource_type_field_name=None,
        many=True,
    )
)
class EventsField(serializers.ListField):
    """Events, each in the shape of its type."""


class EventPageSerializer(serializers.Serializer[Any]):
    events = EventsField()
    position = serializers.IntegerField(help_text="Give it as `after` next time.")


class EventTypeSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    part = serializers.CharField(help_text="The part; callers that may read it see the events.")
    description = serializers.CharField()
    schema = serializers.DictField(help_text="The JSON Schema of `data`.")
