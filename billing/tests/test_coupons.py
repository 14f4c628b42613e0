"""Coupons by the API: how they are made, changed, checked, and redeemed with a purchase."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.models import User
from audit.models import Waiting
from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.tests.conftest import Api, make
from events.models import Outbox
from purchases.models import Purchase

pytestmark = pytest.mark.django_db
NEVER = {"max_redemptions": None, "max_per_customer": None, "starts_at": None, "ends_at": None}


def code_of(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["errors"][0]
    return answer.status_code, error["code"], error["attr"]


def given(finance: Api, code: str = "SPRING", **terms: Any) -> dict[str, Any]:
    answer = finance("POST", "coupons/", {"code": code, "percent": "10", **terms})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def buy(api: Api, coupon: Any = "spring", price: str = "9.99", **fields: Any) -> Any:
    headers = {"Idempotency_Key": fields.pop("key")} if "key" in fields else {}
    purchase = {"item": "book", "price": price, **fields}
    return api("POST", "purchases/", {"purchase": purchase, "coupon": coupon}, **headers)


def counts() -> tuple[int, int, int]:
    """Return how many purchases, redemptions and events there are."""
    return Purchase.objects.count(), Redemption.objects.count(), Outbox.objects.count()


def test_a_coupon_is_made_shown_and_listed(finance: Api, mine: Api) -> None:
    ends = timezone.now() + timedelta(days=1)
    asked = {
        "code": "spring-26",
        "amount": "5",
        "currency": "eur",
        "ends_at": ends.isoformat(),
        "max_redemptions": 100,
        "username": "JOE",
        "minimum": "20",
        "items": ["book", "pen", "book"],
    }
    made = finance("POST", "coupons/", asked, Idempotency_Key="a")
    coupon = made.json()
    assert (made.status_code, made["Location"]) == (
        201,
        f"/api/v1/billing/coupons/{coupon['id']}/",
    )
    assert coupon == {
        "id": coupon["id"],
        "code": "SPRING-26",
        "percent": None,
        "amount": "5.00",
        "currency": "EUR",
        "starts_at": None,
        "ends_at": ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "max_redemptions": 100,
        "max_per_customer": None,
        "username": "joe",
        "minimum": "20.00",
        "items": ["book", "pen"],
        "active": True,
        "redeemed": 0,
        "created_at": coupon["created_at"],
    }
    again = finance("POST", "coupons/", asked, Idempotency_Key="a")
    assert (again.json(), again["Idempotent-Replayed"]) == (coupon, "true")
    for name in (coupon["id"], "spring-26", "SPRING-26"):
        assert finance("GET", f"coupons/{name}/").json() == coupon
    assert code_of(finance("POST", "coupons/", asked)) == (409, "code_taken", "code")
    second = given(finance, "second", active=False, **NEVER)
    listed = finance("GET", "coupons/?page_size=1").json()
    assert listed["results"] == [second]
    assert finance("GET", listed["next"].partition("/billing/")[2]).json()["results"] == [coupon]
    for query, found in (
        ("code=Spring-26", [coupon]),
        ("active=false", [second]),
        ("active=true", [coupon]),
        ("username=joe", [coupon]),
        ("username=nobody", []),
    ):
        assert finance("GET", f"coupons/?{query}").json()["results"] == found, query
    assert code_of(finance("GET", "coupons/?active=x"))[:2] == (400, "invalid")
    assert finance("GET", "coupons/nothing/").status_code == 404
    assert mine("GET", "coupons/").status_code == 403
    entries = Waiting.objects.filter(action="coupon.created").values_list("object", "actor_id")
    assert list(entries) == [(f"coupon:{each['id']}", finance.user.pk) for each in (coupon, second)]


def test_nothing_malformed_makes_a_coupon(finance: Api) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"code": "AB"}, "code"),
        ({"code": "A" * 41}, "code"),
        ({"code": "ÄPFEL"}, "code"),
        ({"code": "A_B"}, "code"),
        ({"code": 123}, "code"),
        ({"percent": "0"}, "percent"),
        ({"percent": "100.01"}, "percent"),
        ({"percent": "-5"}, "percent"),
        ({"percent": "1e1"}, "percent"),
        ({"percent": "NaN"}, "percent"),
        ({"percent": None}, "percent"),
        ({"percent": "10", "amount": "5", "currency": "EUR"}, "percent"),
        ({"percent": None, "amount": "5"}, "currency"),
        ({"percent": None, "amount": "0", "currency": "EUR"}, "amount"),
        ({"percent": None, "amount": "5.50", "currency": "JPY"}, "amount"),
        ({"percent": None, "amount": "5", "currency": "EURO"}, "currency"),
        ({"currency": "QQQ"}, "currency"),
        ({"starts_at": "2026-05-01T00:00:00"}, "starts_at"),
        ({"starts_at": "2026-05-02T00:00:00Z", "ends_at": "2026-05-02T00:00:00Z"}, "ends_at"),
        ({"max_redemptions": 0}, "max_redemptions"),
        ({"max_redemptions": 10**9 + 1}, "max_redemptions"),
        ({"max_per_customer": True}, "max_per_customer"),
        ({"minimum": "-1"}, "minimum"),
        ({"minimum": "1" * 19}, "minimum"),
        ({"items": ["book"] * 101}, "items"),
        ({"items": ["b" * 201]}, "items.0"),
        ({"username": "nobody"}, "username"),
        ({"active": "perhaps"}, "active"),
    ]
    for terms, attr in cases:
        answer = finance("POST", "coupons/", {"code": "SPRING", "percent": "10", **terms})
        assert (answer.status_code, code_of(answer)[2]) == (400, attr), terms
    gold = {"code": "GOLD", "amount": "5", "currency": "XAU"}
    assert code_of(finance("POST", "coupons/", gold))[:2] == (409, "currency_not_billable")
    assert not Coupon.objects.exists()


def test_a_used_coupon_keeps_its_value_and_no_limit_is_below_its_use(
    finance: Api, mine: Api
) -> None:
    def change(**terms: Any) -> Any:
        return finance("PATCH", "coupons/spring/", terms)

    given(finance)
    given(finance, "OTHER")
    assert change(percent=None, amount="1", currency="EUR").json()["amount"] == "1.00"
    assert change(percent="20", amount=None, currency=None).json()["percent"] == "20.00"
    assert code_of(change(code="other")) == (409, "code_taken", "code")
    for _ in range(2):
        assert buy(mine).status_code == 201
    for terms in ({"percent": "30"}, {"code": "SUMMER"}, {"percent": None, "amount": "1"}):
        refused = finance("PATCH", "coupons/spring/", {"currency": "EUR", **terms})
        assert code_of(refused)[:2] == (409, "coupon_in_use"), terms
    assert change(percent="20.0", code="Spring").status_code == 200
    for limit in ("max_redemptions", "max_per_customer"):
        assert code_of(change(**{limit: 1})) == (400, "min_value", limit)
        assert change(**{limit: 2}).json()["redeemed"] == 2
    assert code_of(buy(mine)) == (409, "coupon_exhausted", "coupon")
    assert change(max_redemptions=3).status_code == 200
    assert code_of(buy(mine)) == (409, "coupon_used", "coupon")
    assert change(max_per_customer=None, minimum="5").json()["currency"] == "EUR"
    assert buy(mine).status_code == 201
    assert change(active=False, items=["pen"], username="joe").status_code == 200
    entries = Waiting.objects.filter(action="coupon.changed").order_by("id")
    assert entries.last().before == {"active": True, "customer_id": None, "items": []}  # type: ignore[union-attr]
    assert code_of(buy(mine)) == (409, "coupon_invalid", "coupon")


def test_a_check_tells_the_discount_and_nobody_which_codes_there_are(
    finance: Api, mine: Api, customer: User
) -> None:
    given(finance, items=["book"])
    given(finance, "OFF", active=False)
    given(finance, "ANNS", username="fin")
    given(finance, "YEN", percent=None, amount="300", currency="JPY")

    def check(code: str, amount: str = "29.97", currency: str = "EUR", **more: Any) -> Any:
        body = {"code": code, "amount": amount, "currency": currency, **more}
        return mine("POST", "coupons/check/", body)

    assert check(" Spring ", item="book").json() == {"discount": "3.00", "total": "26.97"}
    assert check("yen", "200", "jpy").json() == {"discount": "200.00", "total": "0.00"}
    assert code_of(check("yen"))[1] == "coupon_currency"
    assert code_of(check("spring"))[1] == "coupon_not_applicable"
    # Ten percent of four cents round to nothing.
    assert code_of(check("spring", "0.04", item="book"))[1] == "coupon_not_applicable"
    assert code_of(check("spring", currency="XAU", item="book"))[1] == "currency_not_billable"
    for field, value in (("amount", "-1"), ("amount", "x"), ("code", ["A"]), ("currency", "")):
        typed: dict[str, Any] = {"code": "spring", field: value}
        refused = check(**typed)
        assert code_of(refused)[::2] == (400, field)
    assert not CouponCustomer.objects.exists()
    # An unknown code, an inactive one and somebody else's have one answer, by the same statements.
    answers = [check(code, item="book") for code in ("NONE", "OFF", "ANNS", "Äpfel", "x")]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (409, answers[0].content)
    }
    assert code_of(answers[0]) == (409, "coupon_invalid", "coupon")
    assert code_of(check("spring", username="fin"))[:2] == (403, "permission_denied")
    for _ in range(20):
        last = check("NONE")
    # Then a right code cannot be told from a wrong one, on either route.
    assert last.status_code == check("spring", item="book").status_code == 429
    assert (refused := buy(mine)).status_code == 429
    assert int(refused["Retry-After"]) > 0
    till = Api(make("till", is_client=True))
    checked = {"code": "anns", "amount": "10", "currency": "EUR", "username": "fin"}
    assert till("POST", "coupons/check/", checked).json()["discount"] == "1.00"


def test_a_purchase_and_its_redemption_are_one(finance: Api, mine: Api, customer: User) -> None:
    given(finance, max_redemptions=2)
    key: dict[str, Any] = {"key": "one", "timestamp": "2026-05-01T12:00:00Z", "quantity": 3}
    bought = buy(mine, **key)
    purchase = bought.json()
    assert (bought.status_code, bought["Location"]) == (
        201,
        f"/api/v1/purchases/{purchase['id']}/",
    )
    shown = mine.client.get(bought["Location"]).json()
    # The ledger keeps the list price.
    assert purchase == {**shown, "discount": "3.00", "payable": "26.97"}
    redemption = Redemption.objects.get()
    assert (str(redemption.purchase), redemption.customer) == (purchase["id"], customer)
    redeemed, recorded = Outbox.objects.exclude(type=1).get(), Outbox.objects.filter(type=1)
    assert (redeemed.type, redeemed.customer_id, recorded.count()) == (31, customer.pk, 1)
    assert redeemed.payload == {
        "coupon": str(redemption.coupon_id),
        "code": "SPRING",
        "currency": "EUR",
        "amount": "3.00",
        "invoice": None,
        "purchase": purchase["id"],
    }
    before = counts()
    again = buy(mine, **key)
    assert (again.status_code, again.json()) == (200, purchase)
    assert again["Idempotent-Replayed"] == "true"
    for refused, code in [
        (buy(mine, "other", **key), (422, "idempotency_key_reused", None)),
        (buy(mine, price="9.98", **key), (422, "idempotency_key_reused", None)),
        (buy(mine, "NONE"), (409, "coupon_invalid", "coupon")),
        (buy(mine, None), (400, "null", "coupon")),
        (buy(mine, price="-1"), (400, "min_value", "price")),
        (buy(mine, username="fin"), (403, "permission_denied", "username")),
        (buy(mine, currency="XXX"), (409, "currency_not_billable", "currency")),
        (mine("POST", "purchases/", {"coupon": "spring"}), (400, "required", "purchase")),
        (mine("POST", "purchases/", ["spring"]), (400, "invalid", "non_field_errors")),
    ]:
        assert code_of(refused) == code
    assert counts() == before
    # Keys belong to a route, so the same one records another purchase there.
    plain = {"item": "book", "price": "9.99", "timestamp": "2026-05-01T12:00:01Z"}
    path = "/api/v1/purchases/"

    def record(body: Any) -> Any:
        headers = {"Idempotency-Key": "one"}
        return mine.client.post(path, body, content_type="application/json", headers=headers)

    assert record(plain).status_code == 201
    refused = record({**plain, "coupon": "spring"})
    assert code_of(refused) == (400, "coupon_not_taken_here", "coupon")
    lines = [{**plain, "coupon": "spring"}, {**plain, "price": "1.00"}]
    bulk = mine.client.post(f"{path}bulk/", lines, content_type="application/json").json()
    assert (bulk["recorded"], bulk["errors"][0]["line"]) == (1, 1)
    assert bulk["errors"][0]["errors"][0]["code"] == "coupon_not_taken_here"
    rows = "price,coupon\n1.50,spring\n1.60,\n"
    bulk = mine.client.post(f"{path}bulk/", rows, content_type="text/csv").json()
    assert (bulk["recorded"], bulk["errors"][0]["line"]) == (1, 2)
    assert bulk["errors"][0]["errors"][0]["code"] == "coupon_not_taken_here"
    classic = {"price": 1, "timestamp": plain["timestamp"], "coupon": "spring"}
    answer = mine.client.post("/buy", classic, content_type="application/json")
    assert code_of(answer) == (400, "coupon_not_taken_here", "coupon")
    # What was recorded without the coupon is not recorded again, and not for less.
    without = mine.client.post(path, {**plain, "price": "9.97"}, content_type="application/json")
    assert without.status_code == 201
    known = buy(mine, price="9.97", timestamp=plain["timestamp"])
    assert code_of(known) == (409, "recorded_without_coupon", "coupon")


def test_once_for_each_customer_whatever_they_are_called_now(finance: Api, mine: Api) -> None:
    given(finance, max_per_customer=1)
    till = Api(make("till", is_client=True))
    assert buy(till, username="joe", userid="005").status_code == 201
    User.objects.filter(pk=mine.user.pk).update(email="other@example.com", username="joseph")
    for each in (mine, till):
        assert code_of(buy(each, userid="005"))[1] == "coupon_used"
    # A refused coupon makes no customer, either.
    new = {"username": "zoe", "userid": "009"}
    assert code_of(buy(till, "NONE", **new))[1] == "coupon_invalid"
    assert not User.objects.filter(username="zoe").exists()
    assert buy(till, **new).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_no_coupon_is_redeemed_too_often_by_purchases_at_one_moment(
    finance: Api, mine: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(finance, max_redemptions=15, max_per_customer=10)
    buyers = [mine, Api(make("ann", userid="006"))]

    def take(number: int) -> str:
        try:
            # Every purchase is sent twice.
            answer = buy(buyers[number % 2], key=f"key-{number // 4}")
            return answer.json().get("id") or code_of(answer)[1]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(take, range(200)))
    refused = {"coupon_exhausted", "coupon_used"}
    assert {each for each in outcomes if not each[0].isdigit()} <= refused
    assert (
        len({*outcomes} - refused) == 15 == Purchase.objects.count() == Redemption.objects.count()
    )
    assert Outbox.objects.filter(type=31).count() == Coupon.objects.get().redeemed == 15
    assert max(CouponCustomer.objects.values_list("redeemed", flat=True)) <= 10

    # Whatever fails last takes everything back.
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("the server was killed")

    given(finance, "SECOND")
    before = counts()
    monkeypatch.setattr("billing.coupons.buying.redeem", fail)
    mine.client.raise_request_exception = False
    assert buy(mine, "second").status_code == 500
    assert counts() == before
