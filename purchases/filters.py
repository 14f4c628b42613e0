"""The filters of the purchase list, shared by API, pages and exports."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet, Subquery

from accounts.models import USERNAME_MAX_LENGTH, User
from purchases.models import ITEM_MAX_LENGTH, Purchase
from purchases.validation import is_plain_number, parse_moment
from shop.core.merged import Merged


class MomentField(forms.CharField):
    """A day (``2024-05-31``, in UTC) or an ISO 8601 time with an offset.

    The value is ``(moment, is_day)``; a day's moment is its first.
    """

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            if len(text) == 10:
                day = date.fromisoformat(text)
                return datetime(day.year, day.month, day.day, tzinfo=UTC), True
            # A plus sign that the client did not escape arrives as a space.
            return parse_moment(text.replace(" ", "+", 1) if text[10:11] in "Tt" else text), False
        except ValueError:
            raise forms.ValidationError(
                "Give a day such as 2024-05-31 or a time with an offset such as "
                "2024-05-31T15:54:32Z.",
                code="invalid",
            ) from None


class MomentFilter(django_filters.Filter):
    field_class = MomentField


class PriceField(forms.DecimalField):
    """A number in plain digits; ``Decimal`` would take exponents that PostgreSQL cannot hold."""

    def to_python(self, value: Any) -> Any:
        if value not in self.empty_values and not is_plain_number(str(value).strip()):
            raise forms.ValidationError("Enter a number.", code="invalid")
        return super().to_python(value)


class PriceFilter(django_filters.NumberFilter):
    field_class = PriceField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=Decimal(0), max_digits=20, decimal_places=4, **kwargs)


def filters_by_price(parameters: Mapping[str, str]) -> bool:
    """Return whether the query filters by price, because then no index gives the time order."""
    return bool(parameters.get("min_price") or parameters.get("max_price"))


class PurchaseFilter(django_filters.FilterSet):
    """``since`` and ``until`` (both inclusive), ``min_price``, ``max_price``, ``item`` (exact).

    ``username`` narrows what the caller sees to one customer, and never widens it.
    """

    since = MomentFilter(method="filter_since", label="Since")
    until = MomentFilter(method="filter_until", label="Until")
    min_price = PriceFilter(field_name="price", lookup_expr="gte", label="Lowest price")
    max_price = PriceFilter(field_name="price", lookup_expr="lte", label="Highest price")
    item = django_filters.CharFilter(max_length=ITEM_MAX_LENGTH, label="Item")
    username = django_filters.CharFilter(
        method="filter_username", max_length=USERNAME_MAX_LENGTH, label="Customer"
    )

    class Meta:
        model = Purchase
        fields: list[str] = []

    @classmethod
    def narrow(
        cls, purchases: Merged[Purchase], parameters: Mapping[str, str]
    ) -> tuple["PurchaseFilter", Merged[Purchase]]:
        """Return the filters and the purchases that pass them: none, if a filter is invalid."""
        filters = [cls(parameters, queryset=part) for part in purchases.parts]
        if not filters[0].is_valid():
            return filters[0], Merged(Purchase.objects.none())
        return filters[0], Merged(*(each.qs for each in filters))

    def filter_username(
        self, queryset: QuerySet[Purchase], name: str, value: str
    ) -> QuerySet[Purchase]:
        # The filter takes an id instead of a join, so that the customer's index also gives the
        # order.
        customer = User.objects.named(value).values("pk")
        return queryset.filter(customer_id=Subquery(customer[:1]))

    def filter_since(
        self, queryset: QuerySet[Purchase], name: str, value: tuple[datetime, bool]
    ) -> QuerySet[Purchase]:
        return queryset.filter(timestamp__gte=value[0])

    def filter_until(
        self, queryset: QuerySet[Purchase], name: str, value: tuple[datetime, bool]
    ) -> QuerySet[Purchase]:
        moment, is_day = value
        if not is_day:
            return queryset.filter(timestamp__lte=moment)
        if moment.date() == date.max:
            return queryset
        return queryset.filter(timestamp__lt=moment + timedelta(days=1))
