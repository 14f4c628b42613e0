"""Coupons are counted exactly, whoever comes at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from billing.coupons.errors import CouponRefused
from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.coupons.redeeming import check_coupons, redeem, redemptions_of, release
from billing.coupons.services import coupon_change
from billing.invoices.models import FIRST_PREVIOUS
from billing.tests.test_chain_constraints import _document, customer

__all__ = ["customer"]

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def coupon(owner: User, code: str = "SPRING", **changed: Any) -> Coupon:
    return Coupon.objects.create(
        **{"code": code, "percent": Decimal(10), "created_by": owner, **changed}
    )


def line(position: int, text: str, gross: str) -> Any:
    return SimpleNamespace(position=position, text=text, gross=Decimal(gross))


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(CouponRefused) as error, transaction.atomic():
        work()
    return error.value.errors[0].code


def test_a_coupon_is_checked_against_all_its_terms(customer: User) -> None:
    other = User.objects.create_user("eve", userid="006")
    lines = [line(1, "book", "10.00"), line(2, "pen", "2.00")]

    def check(code: str, currency: str = "EUR", lines: Any = lines) -> Any:
        return check_coupons(
            [code], customer_id=customer.pk, lines=lines, currency=currency, moment=NOW
        )

    coupon(customer)
    (cut,) = check(" spring ")
    assert (cut.code, cut.percent, cut.amount, cut.lines) == ("SPRING", Decimal(10), None, None)
    coupon(customer, "PENS", items=["pen"], minimum=Decimal(2))
    assert check("pens")[0].lines == {2}
    cases: list[tuple[str, dict[str, Any]]] = [
        ("coupon_invalid", {"active": False}),
        ("coupon_invalid", {"customer": other}),
        ("coupon_not_started", {"starts_at": NOW + DAY}),
        ("coupon_expired", {"ends_at": NOW}),
        ("coupon_exhausted", {"max_redemptions": 1, "redeemed": 1}),
        ("coupon_minimum", {"minimum": Decimal("12.01")}),
        # What other items cost does not help.
        ("coupon_minimum", {"minimum": Decimal("2.01"), "items": ["pen"]}),
        ("coupon_not_applicable", {"items": ["Pen"]}),
        ("coupon_currency", {"percent": None, "amount": Decimal(1), "currency": "USD"}),
    ]
    for number, (expected, terms) in enumerate(cases):
        coupon(customer, f"TRY-{number}", **terms)
        assert refused(lambda n=number: check(f"TRY-{n}")) == expected, expected  # type: ignore[misc]
    assert refused(lambda: check("NONE")) == refused(lambda: check("ſpring")) == "coupon_invalid"
    assert refused(lambda: check("SPRING", lines=[])) == "coupon_not_applicable"


def test_a_void_gives_back_what_its_invoice_redeemed_once(customer: User) -> None:
    document = _document(customer, 1, FIRST_PREVIOUS)
    one, two = coupon(customer, max_redemptions=1), coupon(customer, "TWO", max_per_customer=1)

    def take(**subject: Any) -> None:
        redeem(
            [two.pk, one.pk],
            customer_id=customer.pk,
            currency="EUR",
            amounts=[Decimal(2), Decimal(1)],
            **subject,
        )

    take(document_id=document.pk)
    assert refused(lambda: take(purchase_id=uuid4())) == "coupon_exhausted"
    for _ in range(2):
        release(document.pk)
        one.refresh_from_db()
        assert one.redeemed == 0
        assert set(CouponCustomer.objects.values_list("redeemed", flat=True)) == {0}
        assert Redemption.objects.count() == 4
    with pytest.raises(DatabaseError, match="only added"), transaction.atomic():
        Redemption.objects.update(amount=9)
    purchase = uuid4()
    redeem(
        [one.pk],
        customer_id=customer.pk,
        currency="EUR",
        amounts=[Decimal(3)],
        purchase_id=purchase,
    )
    assert redemptions_of([purchase, uuid4()]) == {purchase: [("SPRING", Decimal(3))]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("terms", "redeemed"),
    [({"max_redemptions": 7}, 7), ({"max_per_customer": 3}, 6), ({}, 40)],
)
def test_simultaneous_redeemers_are_counted_exactly(
    customer: User, terms: dict[str, Any], redeemed: int
) -> None:
    other = User.objects.create_user("eve", userid="006")
    first, second = coupon(customer, **terms), coupon(customer, "SECOND")
    ids = [first.pk, second.pk]

    def take(number: int) -> str:
        try:
            with transaction.atomic():
                redeem(
                    # Two coupons in both orders never wait for each other.
                    ids if number % 2 else ids[::-1],
                    customer_id=(customer if number % 4 < 2 else other).pk,
                    currency="EUR",
                    purchase_id=UUID(int=number),
                    amounts=[Decimal(1), Decimal(1)],
                )
        except CouponRefused as error:
            return error.errors[0].code
        finally:
            connection.close()
        return "redeemed"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(take, range(40)))
    assert outcomes.count("redeemed") == redeemed
    assert set(outcomes) <= {"redeemed", "coupon_exhausted", "coupon_used"}
    for each in (first, second):
        assert each.redemptions.count() == redeemed
        counted = CouponCustomer.objects.filter(coupon=each).values_list("redeemed", flat=True)
        assert sum(counted) == redeemed


@pytest.mark.django_db(transaction=True)
def test_a_limit_set_meanwhile_counts_the_redeemers_under_way(customer: User) -> None:
    open_to_all = coupon(customer)

    def take(number: int) -> None:
        redeem(
            [open_to_all.pk],
            customer_id=customer.pk,
            currency="EUR",
            purchase_id=UUID(int=number),
            amounts=[Decimal(1)],
        )

    def limit() -> int:
        try:
            terms = {"max_redemptions": 1}
            return coupon_change(actor=customer, id=open_to_all.pk, given=terms).redeemed
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            take(1)
            changed = pool.submit(limit)
            with connection.cursor() as cursor:
                waiting = 0
                while not waiting and not changed.done():
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    ((waiting,),) = cursor.fetchall()
        assert changed.result() == 1
    assert refused(lambda: take(2)) == "coupon_exhausted"
