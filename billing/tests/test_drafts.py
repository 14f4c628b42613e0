"""Drafts and their issue, from outside."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from audit.models import Waiting
from billing.invoices.models import Claim, Document, Draft, Series
from billing.taxes.models import TaxRate
from billing.tests.conftest import Api, buy

pytestmark = pytest.mark.django_db


@pytest.fixture
def vat(db: None) -> None:
    TaxRate.objects.create(code="standard", category="S", rate="19", valid_from="2020-01-01")


def test_what_was_previewed_is_issued(finance: Api, mine: Api, customer: User, vat: None) -> None:
    (book,) = buy(customer, "9.99", 3)
    body = {
        "username": "joe",
        "discounts": [{"percent": "10", "reason": "loyal"}],
        "due_days": 7,
    }
    response = finance("POST", "invoices/", body, Idempotency_Key="a")
    assert response.status_code == 201, response.content
    draft = response.json()
    assert draft["status"] == "draft"
    assert (draft["number"], draft["hash"], draft["issued_on"]) == (None, None, None)
    assert (draft["username"], draft["userid"], draft["currency"]) == ("joe", "005", "EUR")
    line = draft["lines"][0]
    assert line == {
        "position": 1,
        "purchase": str(book),
        "text": "book",
        "quantity": 3,
        "price": "9.99",
        "gross": "29.97",
        "discount": "3.00",
        "net": "22.66",
        "tax_category": "S",
        "tax_rate": "19.00",
        "supplied_on": line["supplied_on"],
        "credited_quantity": 0,
    }
    assert draft["discounts"] == [
        {"coupon": None, "reason": "loyal", "percent": "10.00", "amount": "3.00", "lines": None}
    ]
    assert draft["taxes"] == [{"category": "S", "rate": "19.00", "net": "22.66", "tax": "4.31"}]
    assert (draft["net"], draft["tax"], draft["total"]) == ("22.66", "4.31", "26.97")

    again = finance("POST", "invoices/", body, Idempotency_Key="a")
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == draft
    other = finance("POST", "invoices/", {"username": "joe"}, Idempotency_Key="a")
    assert other.status_code == 422
    path = f"invoices/{draft['id']}/"
    assert response["Location"] == f"/api/v1/billing/{path}"
    # A draft is no business of its customer yet.
    assert mine("GET", path).status_code == 404
    assert finance("GET", path).json() == draft

    TaxRate.objects.update(rate=7)
    issued = finance("POST", f"{path}issue/")
    assert issued.status_code == 200, issued.content
    invoice = issued.json()
    assert invoice["status"] == "open"
    assert invoice["number"] == f"INV-{invoice['issued_on'][:4]}-000001"
    assert date.fromisoformat(invoice["due_on"]) > date.fromisoformat(invoice["issued_on"])
    assert invoice["hash"] == f"sha256:{bytes(Document.objects.get().hash).hex()}"
    for name in ("lines", "discounts", "taxes", "net", "tax", "total"):
        assert invoice[name] == draft[name]
    assert (invoice["due"], invoice["paid"], invoice["overpaid"]) == ("26.97", "0.00", "0.00")
    assert (invoice["disputed"], invoice["attention"]) == (False, [])

    replayed = finance("POST", f"{path}issue/")
    assert (replayed.status_code, replayed["Idempotent-Replayed"]) == (200, "true")
    assert replayed.json() == invoice
    assert mine("GET", path).json() == invoice
    assert finance("PATCH", path, {"due_days": 1}).json()["errors"][0]["code"] == "issued"
    assert finance("DELETE", path).status_code == 409
    assert Document.objects.count() == 1
    actions = (
        Waiting.objects.filter(action__startswith="invoice")
        .order_by("id")
        .values_list("action", flat=True)
    )
    assert list(actions) == ["invoice.drafted", "invoice.issued"]


def test_a_purchase_is_on_one_invoice(finance: Api, customer: User) -> None:
    bought = [str(each) for each in buy(customer, count=3)]
    first = finance("POST", "invoices/", {"userid": "005", "purchases": bought[:2]}).json()
    second = finance("POST", "invoices/", {"userid": "005"}).json()
    assert [line["purchase"] for line in second["lines"]] == bought
    assert finance("POST", f"invoices/{first['id']}/issue/").status_code == 200
    refused = finance("POST", f"invoices/{second['id']}/issue/")
    assert refused.status_code == 409
    assert {error["code"] for error in refused.json()["errors"]} == {"already_invoiced"}
    assert all(each in refused.content.decode() for each in bought[:2])
    assert bought[2] not in refused.content.decode()
    # A refused issue used no number, and left no claim.
    assert Series.objects.get().next_number == 2
    assert Claim.objects.count() == 2
    chosen = finance("POST", "invoices/", {"userid": "005", "purchases": bought})
    assert chosen.json()["errors"][0]["code"] == "already_invoiced"
    # Composed anew, the draft holds what is left.
    changed = finance("PATCH", f"invoices/{second['id']}/", {})
    assert [line["purchase"] for line in changed.json()["lines"]] == bought[2:]
    issued = finance("POST", f"invoices/{second['id']}/issue/").json()
    assert issued["number"].endswith("-000002")
    nothing = finance("POST", "invoices/", {"userid": "005"})
    assert (nothing.status_code, nothing.json()["errors"][0]["code"]) == (409, "nothing_to_invoice")


def test_ranges_and_currencies(
    finance: Api, customer: User, other: User, settings: Any, site_settings: Any
) -> None:
    for day in (1, 2, 3):
        buy(customer, f"{day}.00", at=datetime(2026, 4, day, 23, 59, tzinfo=UTC))
    buy(other)

    def prices(**asked: Any) -> list[str]:
        answer = finance("POST", "invoices/", {"username": "joe", **asked})
        assert answer.status_code == 201, answer.content
        return [line["price"] for line in answer.json()["lines"]]

    assert prices() == ["1.00", "2.00", "3.00"]
    assert prices(since="2026-04-02") == ["2.00", "3.00"]
    assert prices(until="2026-04-02") == ["1.00", "2.00"]
    assert prices(since="2026-04-02", until="2026-04-02") == ["2.00"]
    assert prices(until="2026-04-02T23:59:00Z") == ["1.00", "2.00"]
    assert prices(until="2026-04-02T23:58:59Z") == ["1.00"]
    # The ends of the calendar, and an offset that PostgreSQL does not take.
    assert len(prices(since="0001-01-01", until="9999-12-31")) == 3
    assert len(prices(until="9999-12-31T23:59:59.999999-12:00")) == 3
    assert prices(until="2026-04-03T23:57:59+23:59") == ["1.00"]
    # A day of 23 hours.
    for hour, minute in ((21, 59), (22, 0)):
        buy(customer, f"0.{hour}", at=datetime(2026, 3, 29, hour, minute, tzinfo=UTC))
    site_settings.time_zone = "Europe/Berlin"
    assert prices(until="2026-03-29") == ["0.21"]
    site_settings.time_zone = "UTC"
    settings.BILLING_SINCE = date(2026, 4, 3)
    assert prices(since="2026-01-01") == ["3.00"]
    old = finance("POST", "invoices/", {"username": "joe", "until": "2026-04-02"})
    assert old.json()["errors"][0]["code"] == "nothing_to_invoice"

    (yen,) = buy(customer, "100.50", currency="JPY")
    (gold,) = buy(customer, currency="XAU")
    several = finance("POST", "invoices/", {"username": "joe"})
    assert several.status_code == 400
    assert several.json()["errors"][0] == {
        "code": "required",
        "detail": "There are purchases in EUR, JPY. Name one currency.",
        "attr": "currency",
    }
    draft = finance("POST", "invoices/", {"username": "joe", "currency": "jpy"}).json()
    assert (draft["total"], draft["lines"][0]["gross"]) == ("101", "101")
    assert finance("POST", f"invoices/{draft['id']}/issue/").json()["due"] == "101"
    assert prices() == ["3.00"]
    for asked in ({"currency": "XAU"}, {"purchases": [str(gold)]}):
        refused = finance("POST", "invoices/", {"username": "joe", **asked})
        assert refused.status_code == 409
        assert refused.json()["errors"][0]["code"] == "currency_not_billable"
    assert yen


def test_drafts_are_changed_and_discarded(finance: Api, customer: User) -> None:
    buy(customer, "10.00", count=2)
    path = f"invoices/{finance('POST', 'invoices/', {'username': 'joe'}).json()['id']}/"
    discount = {"amount": "30", "reason": "sorry", "lines": [2]}
    changed = finance("PATCH", path, {"discounts": [discount], "due_days": 0})
    assert changed.status_code == 200, changed.content
    assert changed.json()["total"] == "10.00"
    assert changed.json()["discounts"][0]["amount"] == "10.00"
    assert changed.json()["due_days"] == 0
    kept = finance("PATCH", path, {"due_days": None}).json()
    assert (kept["total"], kept["due_days"]) == ("10.00", 14)
    wrong = {**discount, "lines": [3]}
    refused = finance("PATCH", path, {"discounts": [wrong]})
    assert refused.json()["errors"][0]["attr"] == "discounts.0.lines"
    assert finance("DELETE", path).status_code == 204
    assert finance("DELETE", path).status_code == 404
    assert finance("POST", f"{path}issue/").status_code == 404
    assert not Draft.objects.exists()


def test_a_total_of_nothing_is_paid_at_once(finance: Api, customer: User) -> None:
    buy(customer)
    asked = {"username": "joe", "discounts": [{"percent": "100", "reason": "a present"}]}
    draft = finance("POST", "invoices/", asked).json()
    invoice = finance("POST", f"invoices/{draft['id']}/issue/").json()
    assert (invoice["status"], invoice["total"], invoice["due"]) == ("paid", "0.00", "0.00")


def test_too_many_lines(finance: Api, customer: User) -> None:
    ids = [str(id) for id in buy(customer, count=5001)]
    for asked in ({}, {"purchases": ids}):
        refused = finance("POST", "invoices/", {"username": "joe", **asked})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "too_many_lines")


@pytest.mark.parametrize(
    ("changed", "attr"),
    [
        ({"username": None}, "username"),
        ({"username": "nobody"}, "username"),
        ({"userid": "005"}, None),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-04-01T10:00:00"}, "until"),
        ({"until": f"2026-04-01T10:00:00.{'0' * 40}Z"}, "until"),
        ({"purchases": [str(uuid4())]}, "purchases"),
        ({"purchases": []}, "purchases"),
        ({"coupon": "SPRING"}, "coupon"),
        ({"discount": {"percent": "10", "reason": "x"}}, "discount"),
        ({"currency": "euros"}, "currency"),
        ({"due_days": 366}, "due_days"),
        ({"discounts": [{"percent": "101", "reason": "x"}]}, "discounts.0.percent"),
        ({"discounts": [{"percent": "1", "amount": "1", "reason": "x"}]}, None),
        ({"discounts": [{"amount": "1", "reason": ""}]}, "discounts.0.reason"),
        ({"discounts": [{"amount": "1", "reason": "x\u202e"}]}, "discounts.0.reason"),
    ],
)
def test_bad_requests(
    finance: Api, customer: User, changed: dict[str, Any], attr: str | None
) -> None:
    buy(customer)
    refused = finance("POST", "invoices/", {"username": "joe", **changed})
    assert refused.status_code == 400, refused.content
    if attr:
        assert refused.json()["errors"][0]["attr"] == attr
    assert not Draft.objects.exists()


def test_lists_are_filtered_and_paged(finance: Api, mine: Api, customer: User, other: User) -> None:
    made = []
    for number in range(5):
        buy(customer if number % 2 else other)
        name = "joe" if number % 2 else "ann"
        draft = finance("POST", "invoices/", {"username": name}).json()
        if number < 4:
            finance("POST", f"invoices/{draft['id']}/issue/")
        made.append(draft["id"])

    def listed(api: Api, query: str = "") -> list[str]:
        answer = api("GET", f"invoices/?{query}")
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    newest = made[::-1]
    assert listed(finance) == newest
    assert listed(mine) == [made[3], made[1]]
    assert listed(finance, "username=joe") == [made[3], made[1]]
    assert listed(mine, "username=ann") == []
    assert listed(finance, "username=nobody") == []
    assert listed(finance, "status=draft") == [made[4]]
    assert listed(mine, "status=draft") == []
    assert listed(finance, "status=open") == newest[1:]
    assert listed(finance, "status=paid") == []
    row = finance("GET", "invoices/?status=open").json()["results"][0]
    assert "lines" not in row
    assert listed(finance, f"number={row['number'].lower()}") == [row["id"]]
    today = row["issued_on"]
    assert listed(finance, f"since={today}&until={today}") == newest
    assert listed(finance, "until=2020-01-01") == []
    assert finance("GET", "invoices/?status=x&since=y").status_code == 400

    pages, path = [], "invoices/?page_size=2"
    while path:
        page = finance("GET", path).json()
        pages.append([each["id"] for each in page["results"]])
        path = page["next"] and page["next"].partition("/billing/")[2]
    assert pages == [newest[:2], newest[2:4], newest[4:]]
    last = finance("GET", "invoices/?page_size=2&cursor=last").json()
    assert [each["id"] for each in last["results"]] == newest[3:]
    back = finance("GET", last["previous"].partition("/billing/")[2]).json()
    assert [each["id"] for each in back["results"]] == newest[1:3]
    assert finance("GET", "invoices/?cursor=nonsense").status_code == 400


def test_lists_take_as_many_queries_for_many_rows(
    finance: Api, customer: User, issue: Any, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(3):
        issue()
    with django_assert_max_num_queries(9):
        assert len(finance("GET", "invoices/").json()["results"]) == 3


def test_amounts_are_those_of_the_ledger(finance: Api, customer: User) -> None:
    """Without tax and discounts an invoice is the sum of its purchases to the cent."""
    prices = ["0.01", "1195.30", "99999999.99", "0.00"]
    for price in prices:
        buy(customer, price, 7)
    draft = finance("POST", "invoices/", {"username": "joe"}).json()
    assert Decimal(draft["total"]) == sum(Decimal(price) * 7 for price in prices)
    assert draft["taxes"][0]["category"] == "O"
