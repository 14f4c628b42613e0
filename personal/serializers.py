"""The shapes of exports and erasures."""

from typing import Any

from rest_framework import serializers

from personal.models import REASON_MAX_LENGTH
from shop.core.bodies import Body

TIMES: dict[str, Any] = {"allow_null": True}


class ExportSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(["queued", "running", "ready", "failed", "expired"])
    created_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(**TIMES)
    expires_at = serializers.DateTimeField(**TIMES)
    size = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField()


class ErasureInputSerializer(Body):
    username = serializers.CharField(max_length=150)


class ErasureOrderSerializer(Body):
    username = serializers.CharField(max_length=150)
    reason = serializers.CharField(max_length=REASON_MAX_LENGTH)
    now = serializers.BooleanField(default=False)


class HoldSerializer(Body):
    reason = serializers.CharField(max_length=REASON_MAX_LENGTH)


class ErasureSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["scheduled", "erased"])
    requested_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
