"""The shapes of the log's API, for the documentation."""

from typing import Any

from rest_framework import serializers

from logs.levels import LEVELS


class LogLineSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    level = serializers.ChoiceField(choices=list(LEVELS))
    part = serializers.CharField(help_text="The kind of process.")
    instance = serializers.CharField(help_text="The process, as in `operations/instances/`.")
    logger = serializers.CharField()
    event = serializers.CharField(
        allow_blank=True, help_text="The name of the event; empty for a line of other programs."
    )
    message = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)
    user = serializers.IntegerField(allow_null=True, help_text="The account's id.")

    def get_fields(self) -> Any:
        # `fields` is taken by the class itself.
        return super().get_fields() | {"fields": serializers.DictField()}


class LogPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = LogLineSerializer(many=True)


class LogAroundSerializer(serializers.Serializer[Any]):
    results = LogLineSerializer(many=True)


class LogTailSerializer(serializers.Serializer[Any]):
    results = LogLineSerializer(many=True)
    after = serializers.CharField(help_text="Give it as `after` next time.")


class LogBucketSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    total = serializers.IntegerField(allow_null=True)
    levels = serializers.DictField(child=serializers.IntegerField(), allow_null=True)


class LogHistogramSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField(help_text="Seconds.")
    complete = serializers.BooleanField(
        help_text="Whether there was time to count all; the oldest steps are null otherwise."
    )
    buckets = LogBucketSerializer(many=True)


class LogStatusSerializer(serializers.Serializer[Any]):
    queued = serializers.IntegerField(help_text="Lines of the process that answers.")
    dropped = serializers.IntegerField(help_text="Lines of all processes in the last 24 hours.")
    oldest = serializers.DateTimeField(allow_null=True)
    bytes = serializers.IntegerField(help_text="The size of all lines and their indexes.")
