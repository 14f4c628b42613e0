"""Tax rates: which one a supply has, and how they are set."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.taxes.models import ItemTax, TaxRate
from billing.taxes.rates import UNTAXED, Applied, day_of_supply, rates_for

pytestmark = pytest.mark.django_db
DAY = date(2026, 5, 1)


def _rate(code: str, rate: str, since: str = "2020-01-01", **more: str) -> TaxRate:
    values: Any = {"category": "S", **more}
    return TaxRate.objects.create(code=code, rate=rate, valid_from=since, **values)


def test_the_rate_is_that_of_the_day_and_of_the_item(django_assert_num_queries: Any) -> None:
    assert rates_for([("book", DAY)]) == [UNTAXED]
    _rate("reduced", "7.00")
    # The only code there is, is everybody's.
    assert rates_for([("pen", DAY)]) == [Applied("S", Decimal("7.00"))]
    _rate("exempt", "0.00", category="E", exemption="Article 132")
    assert rates_for([("pen", DAY)]) == [Applied("S", Decimal("7.00"))]
    _rate("standard", "19.00", "2021-01-01")
    _rate("standard", "16.00", "2020-07-01")
    _rate("standard", "19.00", "2007-01-01")
    ItemTax.objects.create(item="book", code="reduced")
    ItemTax.objects.create(item="course", code="exempt")
    with django_assert_num_queries(2):
        found = rates_for(
            [
                ("book", date(2026, 5, 1)),
                ("pen", date(2020, 6, 30)),
                ("pen", date(2020, 7, 1)),
                ("pen", date(2020, 12, 31)),
                ("pen", date(2021, 1, 1)),
                ("course", date(2020, 1, 1)),
                ("book", date(2019, 12, 31)),
            ]
        )
    assert [str(each.rate) for each in found[:6]] == [
        *("7.00", "19.00", "16.00", "16.00", "19.00", "0.00")
    ]
    assert found[5] == Applied("E", Decimal("0.00"), "Article 132")
    assert found[6] == UNTAXED


def test_the_day_is_that_of_the_sites_time_zone(settings: Any) -> None:
    moment = datetime(2020, 6, 30, 22, 30, tzinfo=UTC)
    assert day_of_supply(moment) == date(2020, 6, 30)
    settings.TIME_ZONE = "Europe/Berlin"
    assert day_of_supply(moment) == date(2020, 7, 1)
