"""The API's shapes, for the documentation; the rules are in :mod:`purchases.validation`."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import USERID_MAX_LENGTH, USERNAME_MAX_LENGTH
from purchases.models import (
    ITEM_MAX_LENGTH,
    PRICE_DECIMAL_PLACES,
    PRICE_MAX_DIGITS,
    QUANTITY_MAX,
    Purchase,
)
from purchases.selectors import to_purchase_data
from purchases.validation import PurchaseInput, parse_purchase


class _Delegating(serializers.Serializer[Any]):
    """A serializer that documents fields and leaves validation to ``parse_purchase``."""

    def to_internal_value(self, data: Any) -> PurchaseInput:
        return parse_purchase(data, now=timezone.now())


class PurchaseInputSerializer(_Delegating):
    """A purchase to record; without a customer it is the caller's."""

    item = serializers.CharField(
        max_length=ITEM_MAX_LENGTH, required=False, allow_blank=True, help_text="Default empty."
    )
    quantity = serializers.IntegerField(
        min_value=1, max_value=QUANTITY_MAX, required=False, help_text="Default 1."
    )
    price = serializers.DecimalField(
        max_digits=PRICE_MAX_DIGITS,
        decimal_places=PRICE_DECIMAL_PLACES,
        min_value=0,
        help_text="Per unit; a decimal string or a number with at most two decimals.",
    )
    currency = serializers.CharField(
        min_length=3, max_length=3, required=False, help_text="ISO 4217; default EUR."
    )
    timestamp = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="ISO 8601 with an offset; default the server's time; not in the future.",
    )
    username = serializers.CharField(
        max_length=USERNAME_MAX_LENGTH,
        required=False,
        allow_null=True,
        help_text="The customer; default the caller.",
    )
    userid = serializers.CharField(
        max_length=USERID_MAX_LENGTH,
        required=False,
        allow_null=True,
        help_text="The customer's external id; default the caller's.",
    )


class PurchaseSerializer(serializers.ModelSerializer[Purchase]):
    """A recorded purchase."""

    username = serializers.CharField(source="customer.username")
    userid = serializers.CharField(source="customer.userid")
    total = serializers.DecimalField(max_digits=18, decimal_places=2)
    timestamp = serializers.DateTimeField()
    received_at = serializers.DateTimeField()

    class Meta:
        model = Purchase
        fields = [
            "id",
            "username",
            "userid",
            "item",
            "quantity",
            "price",
            "currency",
            "total",
            "timestamp",
            "received_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Purchase) -> dict[str, Any]:
        return dict(to_purchase_data(instance))


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)


class BulkErrorSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="1-based; of a JSON array, the element's place.")
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


class BulkResultSerializer(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    errors = BulkErrorSerializer(many=True)  # type: ignore[assignment]


class ClassicPurchaseSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=USERNAME_MAX_LENGTH, required=False)
    userid = serializers.CharField(max_length=USERID_MAX_LENGTH, required=False)
    price = serializers.DecimalField(
        max_digits=PRICE_MAX_DIGITS, decimal_places=PRICE_DECIMAL_PLACES, min_value=0
    )
    timestamp = serializers.DateTimeField(required=False)


class ClassicItemSerializer(serializers.Serializer[Any]):
    _id = serializers.UUIDField()
    username = serializers.CharField()
    userid = serializers.CharField()
    price = serializers.CharField()
    timestamp = serializers.DateTimeField()


class ClassicListSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(required=False)
    username = serializers.CharField(required=False)
    purchases = ClassicItemSerializer(many=True)
