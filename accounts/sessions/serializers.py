"""The shapes of the API of sessions."""

from typing import Any

from rest_framework import serializers

from shop.core.bodies import Body


class CredentialSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["browser", "token", "jwt", "key"])
    current = serializers.BooleanField(help_text="Whether this request carries it.")
    name = serializers.CharField()
    methods = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    agent = serializers.CharField()


class EndSerializer(Body):
    keep_current = serializers.BooleanField(default=True)
    keys = serializers.BooleanField(default=False, help_text="Whether API keys end, too.")


class EndedSerializer(serializers.Serializer[Any]):
    browser = serializers.IntegerField()
    token = serializers.IntegerField()
    jwt = serializers.IntegerField()
    key = serializers.IntegerField()
