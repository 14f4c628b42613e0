"""The shapes of the API of keys."""

from typing import Any

from rest_framework import serializers

from accounts.keys.models import Token
from accounts.keys.networks import parse_network
from accounts.keys.services import OVERLAP_SECONDS, OVERLAP_SECONDS_MAX
from accounts.permissions import Permission, codes
from accounts.serializers import LineField, TextField
from shop.core.bodies import Body

NETWORKS_MAX = 50
NAME_MAX_LENGTH = 100


class NetworkField(TextField):
    """A network or a single address, as ``192.0.2.0/24`` or ``2001:db8::1``."""

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        try:
            return parse_network(text)
        except ValueError:
            raise serializers.ValidationError(
                "Give a network such as 192.0.2.0/24, without bits beyond its mask.", "invalid"
            ) from None


class KeyInputSerializer(Body):
    name = LineField(max_length=NAME_MAX_LENGTH)
    permissions = serializers.ListField(
        child=TextField(max_length=40),
        max_length=len(Permission),
        help_text="What the key may do, each `part:verb`. Nothing by default.",
        required=False,
        default=list,
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When it ends; never by default."
    )
    networks = serializers.ListField(
        child=NetworkField(max_length=64),
        max_length=NETWORKS_MAX,
        required=False,
        allow_null=True,
        default=list,
        help_text="From where it may be used, such as `192.0.2.0/24`; from everywhere by default.",
    )


class KeyChangeSerializer(Body):
    name = LineField(max_length=NAME_MAX_LENGTH, required=False)
    permissions = serializers.ListField(
        child=TextField(max_length=40), max_length=len(Permission), required=False
    )
    networks = serializers.ListField(
        child=NetworkField(max_length=64), max_length=NETWORKS_MAX, required=False
    )


class RotationSerializer(Body):
    overlap = serializers.IntegerField(
        min_value=0,
        max_value=OVERLAP_SECONDS_MAX,
        default=OVERLAP_SECONDS,
        help_text="For how many seconds the old key stays good.",
    )


class KeySerializer(serializers.Serializer[Token]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the key begins.")
    permissions = serializers.SerializerMethodField()
    networks = serializers.SerializerMethodField()
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)
    created_at = serializers.DateTimeField(source="created")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Two minutes old at most.")
    last_used_address = serializers.CharField(allow_null=True)
    replaced_by = serializers.UUIDField(allow_null=True, help_text="The key that it became.")

    def get_permissions(self, key: Token) -> list[str]:
        return codes(key.permissions)

    def get_networks(self, key: Token) -> list[str]:
        return list(key.networks or [])


class NewKeySerializer(KeySerializer):
    key = serializers.CharField(help_text="The key itself, shown only now.")
