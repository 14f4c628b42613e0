"""The shapes of drafts, invoices and credit notes in the API."""

import re
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.models import USERID_MAX_LENGTH, USERNAME_MAX_LENGTH
from accounts.serializers import LineField, TextField
from billing.invoices.composing import moment_of
from billing.invoices.models import LINES_MAX, MOMENT_MAX_LENGTH
from billing.invoices.selectors import STATUSES
from shop.core.bodies import Body

DISCOUNTS_MAX = 20
COUPONS_MAX = 10
REASON_MAX_LENGTH = 200
DUE_DAYS_MAX = 365
DAY_OR_MOMENT = "A day, such as 2026-05-31, or an ISO 8601 time with an offset. Inclusive."


class DayOrMomentField(TextField):
    """A day of the site's time zone, or a time with an offset, as it was given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": MOMENT_MAX_LENGTH, **options})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            moment_of(text)
        except (ValueError, OverflowError):
            raise serializers.ValidationError(DAY_OR_MOMENT, code="invalid") from None
        return text


class DiscountSerializer(Body):
    percent = serializers.DecimalField(
        max_digits=5,
        decimal_places=2,
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        required=False,
    )
    amount = serializers.DecimalField(
        max_digits=18, decimal_places=2, min_value=Decimal("0.01"), required=False
    )
    reason = LineField(max_length=REASON_MAX_LENGTH)
    lines = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LINES_MAX),
        max_length=LINES_MAX,
        min_length=1,
        required=False,
        help_text="Positions of the lines that it is taken off; else all.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("percent" in given) == ("amount" in given):
            raise serializers.ValidationError("Give either a percent or an amount.")
        return given


class DraftChangeSerializer(Body):
    since = DayOrMomentField(required=False, allow_null=True, help_text=DAY_OR_MOMENT)
    until = DayOrMomentField(required=False, allow_null=True, help_text=DAY_OR_MOMENT)
    purchases = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        required=False,
        allow_null=True,
        help_text="Only these purchases, at most 5000; else all that are on no invoice yet.",
    )
    currency = TextField(max_length=3, required=False, allow_null=True)
    coupons = serializers.ListField(
        child=TextField(max_length=60),
        max_length=COUPONS_MAX,
        required=False,
        help_text="Codes, in the order in which they are taken off, before the discounts.",
    )
    discounts = serializers.ListField(
        child=DiscountSerializer(), required=False, max_length=DISCOUNTS_MAX
    )
    due_days = serializers.IntegerField(
        min_value=0, max_value=DUE_DAYS_MAX, required=False, allow_null=True
    )

    def validate_currency(self, value: str | None) -> str | None:
        if value is not None:
            value = value.strip().upper()
            if not re.fullmatch("[A-Z]{3}", value):
                raise serializers.ValidationError("Give three letters, as EUR.", code="invalid")
        return value


class DraftSerializer(DraftChangeSerializer):
    username = TextField(max_length=USERNAME_MAX_LENGTH, required=False)
    userid = TextField(max_length=USERID_MAX_LENGTH, required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("username" in given) == ("userid" in given):
            raise serializers.ValidationError("Give either a username or a userid.")
        return given


class LineSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    purchase = serializers.UUIDField(allow_null=True)
    text = serializers.CharField()
    quantity = serializers.IntegerField()
    price = serializers.CharField()
    gross = serializers.CharField()
    discount = serializers.CharField()
    net = serializers.CharField()
    tax_category = serializers.CharField()
    tax_rate = serializers.CharField()
    supplied_on = serializers.DateField(allow_null=True)
    credited_quantity = serializers.IntegerField(required=False)
    credits = serializers.IntegerField(
        required=False, help_text="The invoice's position that a credit note's line corrects."
    )


class ShownDiscountSerializer(serializers.Serializer[Any]):
    coupon = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    percent = serializers.CharField(allow_null=True)
    amount = serializers.CharField()
    lines = serializers.ListField(child=serializers.IntegerField(), allow_null=True)


class ShownTaxSerializer(serializers.Serializer[Any]):
    category = serializers.CharField()
    rate = serializers.CharField()
    net = serializers.CharField()
    tax = serializers.CharField()


class CorrectedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.CharField()


class NoteSerializer(CorrectedSerializer):
    total = serializers.CharField()


class DocumentSummarySerializer(serializers.Serializer[Any]):
    """What lists show of drafts and invoices."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["invoice", "credit_note"])
    status = serializers.ChoiceField(choices=STATUSES)
    number = serializers.CharField(allow_null=True)
    username = serializers.CharField()
    userid = serializers.CharField()
    currency = serializers.CharField()
    prices_include_tax = serializers.BooleanField()
    issued_on = serializers.DateField(allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    net = serializers.CharField()
    tax = serializers.CharField()
    total = serializers.CharField()
    credited = serializers.CharField()
    paid = serializers.CharField()
    refunded = serializers.CharField()
    charged_back = serializers.CharField()
    due = serializers.CharField()
    overpaid = serializers.CharField()
    disputed = serializers.BooleanField()
    attention = serializers.ListField(child=serializers.CharField())
    corrects = CorrectedSerializer(allow_null=True)
    hash = serializers.CharField(allow_null=True)


class InvoiceSerializer(DocumentSummarySerializer):
    """A draft or an invoice with its lines."""

    lines = LineSerializer(many=True)
    discounts = ShownDiscountSerializer(many=True)
    taxes = ShownTaxSerializer(many=True)
    due_days = serializers.IntegerField(required=False, help_text="Drafts only.")
    credit_notes = NoteSerializer(many=True, required=False)


class CreditNoteSummarySerializer(serializers.Serializer[Any]):
    """What lists show of credit notes."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=["invoice", "credit_note"])
    status = serializers.ChoiceField(choices=["issued"])
    number = serializers.CharField()
    username = serializers.CharField()
    userid = serializers.CharField()
    currency = serializers.CharField()
    prices_include_tax = serializers.BooleanField()
    issued_on = serializers.DateField()
    issued_at = serializers.DateTimeField()
    due_on = serializers.DateField(allow_null=True)
    net = serializers.CharField()
    tax = serializers.CharField()
    total = serializers.CharField()
    corrects = CorrectedSerializer()
    hash = serializers.CharField()


class CreditNoteSerializer(CreditNoteSummarySerializer):
    """A credit note with its lines."""

    reason = serializers.CharField()
    lines = LineSerializer(many=True)
    discounts = ShownDiscountSerializer(many=True)
    taxes = ShownTaxSerializer(many=True)
