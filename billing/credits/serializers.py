"""What is credited, in the API."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.serializers import LineField
from billing.invoices.models import LINES_MAX
from billing.invoices.serializers import CreditNoteSerializer
from shop.core.bodies import Body

REASON_MAX_LENGTH = 200
_QUANTITY_MAX = 2**31 - 1


class CreditLineSerializer(Body):
    position = serializers.IntegerField(min_value=1, max_value=LINES_MAX)
    quantity = serializers.IntegerField(
        min_value=1, max_value=_QUANTITY_MAX, required=False, help_text="Pieces that come back."
    )
    amount = serializers.DecimalField(
        max_digits=24,
        decimal_places=2,
        min_value=Decimal("0.01"),
        required=False,
        help_text="Less money for the line, in the prices of the invoice, after its discount.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("quantity" in given) == ("amount" in given):
            raise serializers.ValidationError("Give either a quantity or an amount.")
        return given


class VoidSerializer(Body):
    reason = LineField(max_length=REASON_MAX_LENGTH)


class CreditSerializer(VoidSerializer):
    lines = serializers.ListField(child=CreditLineSerializer(), min_length=1, max_length=LINES_MAX)
    refund = serializers.BooleanField(
        default=False, help_text="Whether all that is overpaid then is sent back."
    )


class AskedRefundSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment = serializers.UUIDField()
    amount = serializers.CharField()
    status = serializers.CharField()


class CreditedSerializer(CreditNoteSerializer):
    """A credit note, and the refunds that were asked for with it."""

    refunds = AskedRefundSerializer(many=True)
