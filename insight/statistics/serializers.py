"""The shapes of the statistics API."""

from typing import Any

from rest_framework import serializers


def _money(help_text: str = "") -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=32, decimal_places=2, help_text=help_text)


class SumsSerializer(serializers.Serializer[Any]):
    purchases = serializers.IntegerField()
    quantity = serializers.IntegerField()
    revenue = _money()


class TotalsSerializer(SumsSerializer):
    average = _money("The revenue of one purchase.")
    customers = serializers.IntegerField(help_text="Distinct customers, not a sum of periods.")


class PeriodSerializer(SumsSerializer):
    start = serializers.DateTimeField(help_text="With the offset of `time_zone`.")
    end = serializers.DateTimeField(help_text="The period ends before it.")
    customers = serializers.IntegerField()
    partial = serializers.BooleanField(  # type: ignore[assignment]
        help_text="The range cuts the period off."
    )
    complete = serializers.BooleanField(help_text="The period has ended.")


class SeriesSerializer(serializers.Serializer[Any]):
    totals = TotalsSerializer()
    periods = PeriodSerializer(many=True)


class ComparedSeriesSerializer(SeriesSerializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()


class CurrencySalesSerializer(SeriesSerializer):
    currency = serializers.CharField()
    compared = ComparedSeriesSerializer(required=False)


class TrueAtSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="The position that the figures are true at.")
    exact = serializers.BooleanField(
        help_text="False while the roll-ups lag too far behind for all purchases to be added."
    )


class AnswerSerializer(TrueAtSerializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="The range ends before it.")
    time_zone = serializers.CharField()
    as_of = serializers.DateTimeField(help_text="When the figures were read.")


class SalesSerializer(AnswerSerializer):
    interval = serializers.CharField()
    currencies = CurrencySalesSerializer(many=True)


class ItemSumsSerializer(SumsSerializer):
    item = serializers.CharField()


class OtherItemsSerializer(SumsSerializer):
    items = serializers.IntegerField(help_text="How many items these are.")


class CurrencyItemsSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    totals = SumsSerializer()
    items = ItemSumsSerializer(many=True)
    other = OtherItemsSerializer()


class ItemsSerializer(AnswerSerializer):
    order = serializers.CharField()
    currencies = CurrencyItemsSerializer(many=True)


class TopCustomerSerializer(SumsSerializer):
    username = serializers.CharField()
    userid = serializers.CharField()
    currency = serializers.CharField()


class CustomersSerializer(AnswerSerializer):
    customers = serializers.IntegerField(help_text="Those who bought something in the range.")
    new = serializers.IntegerField(help_text="Those whose first purchase is in the range.")
    returning = serializers.IntegerField()
    repeat = serializers.IntegerField(help_text="Those with two purchases or more in the range.")
    repeat_rate = serializers.FloatField(help_text="Their share of all, between 0 and 1.")
    order = serializers.CharField()
    top = TopCustomerSerializer(many=True)


class CohortSerializer(serializers.Serializer[Any]):
    month = serializers.CharField(help_text="The month of the first purchase, as `2017-01`.")
    customers = serializers.IntegerField()
    active = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="How many bought in that month, in the next, and so on.",
    )
    revenue = serializers.DictField(
        child=serializers.ListField(child=_money()),
        help_text="The same for the revenue, by currency.",
    )


class CohortsSerializer(AnswerSerializer):
    months = serializers.ListField(child=serializers.CharField())
    cohorts = CohortSerializer(many=True)


class CurrencyWeekSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    purchases = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="Seven days of 24 hours.",
    )
    revenue = serializers.ListField(child=serializers.ListField(child=_money()))


class WeekdaysSerializer(AnswerSerializer):
    days = serializers.ListField(child=serializers.CharField())
    currencies = CurrencyWeekSerializer(many=True)


class LimitsSerializer(TrueAtSerializer):
    oldest = serializers.DateTimeField(allow_null=True)
    newest = serializers.DateTimeField(allow_null=True)
    max_periods = serializers.IntegerField()
