"""Fields of the API of billing that take nothing but the plain form of a value."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.serializers import TextField
from purchases.currencies import currencies
from purchases.validation import is_plain_number, parse_moment


class AmountField(serializers.DecimalField):
    """A decimal number in plain digits, with two decimals unless told otherwise, not negative."""

    def __init__(self, **options: Any) -> None:
        defaults = {"max_digits": 18, "decimal_places": 2, "min_value": Decimal(0)}
        super().__init__(**{**defaults, **options})

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str) and not is_plain_number(data.strip()):
            self.fail("invalid")
        # There is no zero below zero.
        return super().to_internal_value(data) + 0


class MomentField(serializers.DateTimeField):
    """A time in ISO 8601 with an offset."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse_moment(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error), "invalid") from None


class CurrencyField(TextField):
    """A current currency of ISO 4217, in letters of either case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_length": 3, "max_length": 3, **options})

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        code = code.upper() if code.isascii() else ""
        if code not in currencies():
            detail = "Not a currency code of ISO 4217, such as EUR."
            raise serializers.ValidationError(detail, "invalid_currency")
        return str(code)
