"""Coupons on invoices: previewed by a draft, redeemed by issuing it, given back by its void."""

from typing import Any

import pytest

from accounts.models import User
from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.invoices.models import Document
from billing.tests.conftest import Api, buy
from billing.tests.test_coupons import buy as buy_with
from billing.tests.test_coupons import code_of, given

pytestmark = pytest.mark.django_db


def draft(finance: Api, *coupons: str, **more: Any) -> Any:
    return finance("POST", "invoices/", {"username": "joe", "coupons": list(coupons), **more})


def test_an_invoice_takes_coupons_in_their_order_and_redeems_them_when_it_is_issued(
    finance: Api, customer: User
) -> None:
    given(finance, "TEN", max_redemptions=1)
    given(finance, "FIVE", percent=None, amount="5", currency="EUR", max_per_customer=1)
    given(finance, "PENS", percent="50", items=["pen"])
    given(finance, "ALL", percent="100")
    buy(customer, "30.00")
    previews = {
        order: draft(finance, *order).json()
        for order in (("TEN", "FIVE"), ("FIVE", "TEN"), ("ten", "five"))
    }
    amounts = {
        order: [(each["coupon"], each["amount"]) for each in found["discounts"]]
        for order, found in previews.items()
    }
    assert amounts == {
        ("TEN", "FIVE"): [("TEN", "3.00"), ("FIVE", "5.00")],
        ("FIVE", "TEN"): [("FIVE", "5.00"), ("TEN", "2.50")],
        ("ten", "five"): [("TEN", "3.00"), ("FIVE", "5.00")],
    }
    for refused, code in [
        (draft(finance, "NONE"), (409, "coupon_invalid", "coupon")),
        (draft(finance, "PENS"), (409, "coupon_not_applicable", "coupon")),
        (draft(finance, "ALL", "TEN"), (409, "coupon_not_applicable", "coupon")),
        (draft(finance, "TEN", "ten"), (400, "duplicate", "coupons")),
    ]:
        assert code_of(refused) == code
    # Nothing is redeemed by drafts, however many there are.
    assert not Redemption.objects.exists()
    first, second, _ = (each["id"] for each in previews.values())
    finance("PATCH", "coupons/five/", {"active": False})
    assert code_of(finance("POST", f"invoices/{first}/issue/")) == (409, "coupon_invalid", "coupon")
    assert (Document.objects.count(), CouponCustomer.objects.count()) == (0, 0)
    finance("PATCH", "coupons/five/", {"active": True})
    issued = finance("POST", f"invoices/{first}/issue/").json()
    # What was previewed is issued, and issuing again redeems nothing.
    assert (issued["number"][-6:], issued["discounts"], issued["total"]) == (
        "000001",
        previews[("TEN", "FIVE")]["discounts"],
        "22.00",
    )
    again = finance("POST", f"invoices/{first}/issue/")
    assert again["Idempotent-Replayed"] == "true"
    assert finance("GET", "coupons/ten/").json()["redeemed"] == 1
    redeemed = Redemption.objects.values_list("coupon__code", "amount")
    assert {code: str(amount) for code, amount in redeemed} == {"TEN": "3.00", "FIVE": "5.00"}
    assert code_of(draft(finance, "TEN"))[1] in ("nothing_to_invoice", "coupon_exhausted")
    # A void gives purchases and coupons back, once.
    for _ in range(2):
        voided = finance("POST", f"invoices/{first}/void/", {"reason": "wrong address"})
        assert voided.status_code in (200, 201)
        assert finance("GET", "coupons/ten/").json()["redeemed"] == 0
    assert finance("POST", f"invoices/{second}/issue/").json()["number"][-6:] == "000002"
    assert finance("GET", "coupons/five/").json()["redeemed"] == 1


def test_the_coupon_of_a_purchase_is_a_discount_of_its_invoice_and_of_the_next_after_a_void(
    finance: Api, mine: Api, customer: User
) -> None:
    given(finance, "ONCE", max_redemptions=1)
    bought = buy_with(mine, "once", quantity=3).json()
    buy(customer, "1.00")
    discount = {"coupon": "ONCE", "reason": None, "percent": None, "amount": "3.00"}
    for _ in range(2):
        made = draft(finance).json()
        line = next(each for each in made["lines"] if each["purchase"] == bought["id"])
        assert (line["gross"], line["discount"]) == ("29.97", "3.00")
        assert made["discounts"] == [discount | {"lines": [line["position"]]}]
        assert made["total"] == "27.97"
        assert finance("POST", f"invoices/{made['id']}/issue/").status_code == 200
        assert finance("POST", f"invoices/{made['id']}/void/", {"reason": "x"}).status_code == 201
    # It was redeemed once, with the purchase.
    assert Redemption.objects.count() == Coupon.objects.get().redeemed == 1
