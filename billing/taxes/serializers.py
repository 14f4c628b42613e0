"""The shapes of the API of taxes."""

from datetime import date
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.serializers import LineField, TextField
from billing.taxes.models import CODE_MAX_LENGTH, ItemTax, TaxRate
from purchases.models import ITEM_MAX_LENGTH
from shop.core.bodies import Body
from shop.core.text import printable

CATEGORIES = ("S", "Z", "E", "AE", "K", "G", "O", "L", "M")
_YEARS = (1900, 2200)
_CODE = r"^[a-z0-9][a-z0-9_-]{0,39}$"


class DayField(serializers.DateField):
    """A day in a year that a shop can be in."""

    def to_internal_value(self, value: Any) -> date:
        day: date = super().to_internal_value(value)
        if not _YEARS[0] <= day.year <= _YEARS[1]:
            raise serializers.ValidationError(
                f"Give a year from {_YEARS[0]} to {_YEARS[1]}.", code="invalid"
            )
        return day


class ItemField(TextField):
    """An item as purchases have it."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not printable(text):
            self.fail("invalid")
        return text


class TaxRateSerializer(Body):
    id = serializers.IntegerField(read_only=True)
    code = serializers.RegexField(_CODE, max_length=CODE_MAX_LENGTH)
    category = serializers.ChoiceField(CATEGORIES, help_text="By UNTDID 5305.")
    rate = serializers.DecimalField(
        max_digits=5,
        decimal_places=2,
        min_value=Decimal(0),
        max_value=Decimal(100),
        help_text="A percentage.",
    )
    valid_from = DayField(help_text="The first day of supply that has this rate.")
    exemption = LineField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="Why there is no tax: needed for E, AE, K, G and O, and not allowed for others.",
    )


class ItemTaxSerializer(Body):
    item = ItemField(max_length=ITEM_MAX_LENGTH)
    code = serializers.RegexField(_CODE, max_length=CODE_MAX_LENGTH)


def rate_data(rate: TaxRate) -> dict[str, Any]:
    """Return a rate as the API shows it."""
    return {
        "id": rate.pk,
        "code": rate.code,
        "category": rate.category,
        "rate": str(rate.rate),
        "valid_from": rate.valid_from.isoformat(),
        "exemption": rate.exemption,
    }


def item_tax_data(given: ItemTax) -> dict[str, Any]:
    """Return the code of an item as the API shows it."""
    return {"item": given.item, "code": given.code}
