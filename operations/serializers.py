"""The shapes of the API of operating figures."""

from typing import Any

from rest_framework import serializers

from operations.instances import STATES


class InstanceSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField(
        help_text="`web`, `live`, `relay`, `worker`, `beat` or `follower`."
    )
    host = serializers.CharField()
    version = serializers.CharField(help_text="`APPLICATION_VERSION` of the process.")
    settings_version = serializers.IntegerField(
        allow_null=True, help_text="The version of the settings that are in force in it."
    )
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(help_text="When it reported last, by the database's clock.")
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="`late` after 12 seconds without a report, `gone` after 30 or when it ended.",
    )
    sockets = serializers.IntegerField()
    memory = serializers.IntegerField(help_text="Bytes.")
    dropped = serializers.IntegerField(
        help_text="Requests that it could not keep for the figures while PostgreSQL was away."
    )
