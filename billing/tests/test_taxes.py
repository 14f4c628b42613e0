"""Tax rates: which one a supply has, and how they are set."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from audit.models import Waiting
from billing.taxes import services
from billing.taxes.models import ItemTax, TaxRate
from billing.taxes.rates import UNTAXED, Applied, day_of_supply, rates_for
from billing.tests.conftest import buy

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


def test_the_day_is_that_of_the_sites_time_zone(site_settings: Any) -> None:
    moment = datetime(2020, 6, 30, 22, 30, tzinfo=UTC)
    assert day_of_supply(moment) == date(2020, 6, 30)
    site_settings.time_zone = "Europe/Berlin"
    assert day_of_supply(moment) == date(2020, 7, 1)


STANDARD = {"code": "standard", "category": "S", "rate": "19.00", "valid_from": "2021-01-01"}


def test_finance_sets_rates_and_nobody_else(finance: Any, mine: Any) -> None:
    made = finance("POST", "tax-rates/", STANDARD, Idempotency_Key="a")
    assert made.status_code == 201, made.content
    assert made.json() == {"id": made.json()["id"], **STANDARD, "exemption": ""}
    again = finance("POST", "tax-rates/", STANDARD, Idempotency_Key="a")
    assert again.json() == made.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    for change, code in (
        ({"rate": "16.00"}, "rate_exists"),
        ({"valid_from": "2021-13-01"}, "invalid"),
        ({"valid_from": "0001-01-01"}, "invalid"),
        ({"code": "Standard!"}, "invalid"),
        ({"category": "X"}, "invalid_choice"),
        ({"rate": "-1"}, "min_value"),
        ({"rate": "100.01"}, "max_value"),
        ({"rate": "1.001"}, "max_decimal_places"),
        ({"rate": "NaN"}, "invalid"),
        ({"rate": "0.00", "code": "new"}, "invalid"),
        ({"category": "Z", "code": "new"}, "invalid"),
        ({"category": "E", "rate": "0", "code": "new"}, "required"),
        ({"category": "AE", "rate": "19", "exemption": "Reverse charge", "code": "new"}, "invalid"),
        ({"exemption": "none", "code": "new"}, "invalid"),
    ):
        refused = finance("POST", "tax-rates/", {**STANDARD, **change})
        assert refused.status_code == (409 if code == "rate_exists" else 400), refused.content
        assert refused.json()["errors"][0]["code"] == code, refused.content
    exempt = {
        **STANDARD,
        "code": "exempt",
        "category": "E",
        "rate": "0",
        "exemption": "Article 132",
    }
    assert finance("POST", "tax-rates/", exempt).status_code == 201
    assert finance("PUT", "item-taxes/", {"item": "book", "code": "new"}).status_code == 400
    for code in ("standard", "exempt", "exempt"):
        given = finance("PUT", "item-taxes/", {"item": " book ", "code": code})
        assert given.json() == {"item": "book", "code": code}
    assert finance("GET", "item-taxes/").json()["results"] == [{"item": "book", "code": "exempt"}]
    assert rates_for([("book", DAY)])[0].category == "E"
    assert finance("DELETE", "item-taxes/book/").status_code == 204
    assert finance("DELETE", "item-taxes/book/").status_code == 404
    pages = finance("GET", "tax-rates/?page_size=1").json()
    assert [each["code"] for each in pages["results"]] == ["exempt"]
    assert pages["next"]
    assert finance("DELETE", f"tax-rates/{pages['results'][0]['id']}/").status_code == 204
    assert finance("DELETE", "tax-rates/x/").status_code == 404
    assert rates_for([("book", DAY)]) == [Applied("S", Decimal("19.00"))]
    entries = Waiting.objects.filter(action__in=("taxrate.created", "taxrate.deleted"))
    assert entries.count() == 3
    assert Waiting.objects.filter(action="itemtax.changed").count() == 3
    assert mine("GET", "tax-rates/").headers["Accepted-Permissions"] == "billing:read_all"
    assert mine("POST", "tax-rates/", STANDARD).status_code == 403


def test_rates_are_bounded(finance: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(services, "RATES_MAX", 1)
    assert finance("POST", "tax-rates/", STANDARD).status_code == 201
    many = finance("POST", "tax-rates/", {**STANDARD, "code": "new"})
    assert many.json()["errors"][0]["code"] == "too_many_rates"


def test_an_invoice_of_days_with_and_without_a_rate(
    finance: Any, customer: Any, mine: Any, settings: Any
) -> None:
    settings.BILLING_PRICES_INCLUDE_TAX = True
    finance("POST", "tax-rates/", {**STANDARD, "valid_from": "2026-04-01"})
    for month in (3, 5):
        buy(customer, "11.90", 3, at=datetime(2026, month, 1, 12, tzinfo=UTC))
    address = {"username": "joe", "name": "Joe", "address": "1 Way\nBerlin", "country": "DE"}
    assert finance("PUT", "profile/", address).status_code == 200
    cut = {"amount": "1.01", "reason": "late"}
    draft = finance("POST", "invoices/", {"username": "joe", "discounts": [cut]}).json()
    path = f"invoices/{draft['id']}/"
    invoice = finance("POST", f"{path}issue/").json()
    assert sorted((each["category"], each["rate"]) for each in invoice["taxes"]) == [
        ("O", "0.00"),
        ("S", "19.00"),
    ]
    sums = {each["category"]: (each["net"], each["tax"]) for each in invoice["taxes"]}
    # 35.70 each, of which 0.51 and 0.50 are taken off.
    assert sums == {"O": ("35.19", "0.00"), "S": ("29.58", "5.62")}
    assert invoice["total"] == "70.39"
    # EN 16931 has no such e-invoice, and the paper is made all the same.
    refused = mine("GET", f"{path}xml/")
    assert refused.status_code == 409
    assert {each["attr"] for each in refused.json()["errors"]} >= {"BT-118"}
    assert mine("GET", f"{path}pdf/").json()["errors"][0]["code"] == "not_ready"
    for position, total, tax in ((1, "35.19", "0.00"), (2, "35.20", "5.62")):
        asked = {"reason": "back", "lines": [{"position": position, "quantity": 3}]}
        note = finance("POST", f"{path}credit-notes/", asked).json()
        assert (note["total"], note["tax"]) == (total, tax)
    assert mine("GET", path).json()["due"] == "0.00"
