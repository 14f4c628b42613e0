"""The shapes of the event log's API, for the documentation."""

from typing import Any

from rest_framework import serializers

from purchases.serializers import PurchaseSerializer


class EventSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    event = serializers.ChoiceField(choices=["purchase.recorded"])
    at = serializers.DateTimeField()
    purchase = PurchaseSerializer()


class EventPageSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True)
    position = serializers.IntegerField(help_text="Give it as `after` next time.")
