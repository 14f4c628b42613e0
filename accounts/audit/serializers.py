"""The shapes of the audit's API, for the documentation."""

from typing import Any

from rest_framework import serializers


class AuditEntrySerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The number in the chain, without gaps.")
    at = serializers.DateTimeField()
    actor = serializers.CharField(allow_null=True, help_text="`account:<id>`, or null.")
    action = serializers.CharField(help_text="`part.verb`, such as `key.created`.")
    object = serializers.CharField(help_text="`kind:id`.")
    account = serializers.CharField(allow_null=True, help_text="The account that it is about.")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    credential = serializers.CharField(help_text="`kind:id` of what the actor used.")
    request_id = serializers.CharField(allow_blank=True)
    commitment = serializers.CharField(
        allow_blank=True, help_text="SHA-256 of the canonical form of `personal`, or empty."
    )
    previous = serializers.CharField(help_text="The hash of the entry before.")
    hash = serializers.CharField(help_text="SHA-256 of the canonical form of all that is above.")
    personal = serializers.DictField(
        allow_null=True, help_text="Beside the chain; an erasure deletes it."
    )
    actor_name = serializers.CharField(allow_null=True, help_text="The actor's present username.")


class AuditPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = AuditEntrySerializer(many=True)


class AuditFindingSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="The first entry, or 0 for a note.")
    until = serializers.IntegerField(help_text="The last entry.")
    fault = serializers.ChoiceField(
        choices=[
            *("changed", "missing", "reordered", "replaced", "rewritten", "truncated"),
            *("details", "checkpoint"),
        ]
    )
    detail = serializers.CharField()


class AuditVerdictSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    checked = serializers.IntegerField()
    head = serializers.IntegerField(help_text="The number of the chain's last entry.")
    erased = serializers.IntegerField(help_text="Entries without their personal details.")
    findings = AuditFindingSerializer(many=True)
    next = serializers.IntegerField(
        allow_null=True, help_text="Give it as `from` to check the rest; null at the end."
    )

    def get_fields(self) -> Any:
        # `from` is a word of Python.
        first = serializers.IntegerField()
        return {"from": first, "to": serializers.IntegerField(), **super().get_fields()}
