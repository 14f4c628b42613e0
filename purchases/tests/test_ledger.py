"""The ledger through the REST API, in one process."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import CUSTOMER
from events.models import PURCHASE_RECORDED, Outbox
from purchases.entries import Entry, Recorded, identify
from purchases.models import Purchase
from purchases.services import Batch, record_purchases
from purchases.tests.callers import WHEN, Api
from purchases.validation import FIELDS, parse_purchase
from shop.core.errors import ApplicationError, ValidationFailed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [
        ("2024-05-31T17:54:32.5+02:00", "2024-05-31 15:54:32.500000+00:00"),
        ("2024-05-31T15:54:32Z", "2024-05-31 15:54:32+00:00"),
        ("0999-01-01T00:00:00.000001Z", "0999-01-01 00:00:00.000001+00:00"),
    ],
)
def test_the_formula_of_the_digest_stays(timestamp: str, written: str):
    """The digest is stored, so another formula would let old purchases be recorded twice."""
    caller = Caller(7, "ann", "u7", int(CUSTOMER))
    data = {"item": "book", "quantity": 2, "price": "12.5", "timestamp": timestamp}
    entry = Entry(caller, parse_purchase(data, now=datetime.now(UTC)))
    text = "\x1f".join(["content", "7", "book", "2", "12.50", "EUR", written])
    expected = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert identify(0, entry, 7, "ann", "u7").dedupe_key == expected


def test_a_purchase_is_answered_in_full_with_its_event(alice: Api):
    response = alice.buy(price="1195.30", quantity=2, item="book")
    assert response.status_code == 201
    body = response.json()
    assert body.pop("id")
    assert body.pop("received_at").endswith("Z")
    assert body == {
        "username": "alice",
        "userid": "id-alice",
        "item": "book",
        "quantity": 2,
        "price": "1195.30",
        "currency": "EUR",
        "total": "2390.60",
        "timestamp": "2024-05-31T15:54:32.204000Z",
    }
    event = Outbox.objects.get()
    assert event.customer_id == alice.user.pk
    assert event.key == Purchase.objects.get().pk
    assert event.type == PURCHASE_RECORDED


def test_equal_content_with_a_timestamp_is_the_same_purchase(alice: Api, bob: Api):
    first, again = alice.buy(), alice.buy(price=12.5, timestamp="2024-05-31T17:54:32.204+02:00")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
    for other in ({"item": "pen"}, {"quantity": 2}, {"price": 1}, {"currency": "USD"}):
        assert alice.buy(**other).status_code == 201
    assert bob.buy().status_code == 201
    assert Purchase.objects.count() == Outbox.objects.count() == 6


def test_without_key_and_timestamp_every_purchase_is_new(alice: Api):
    assert alice.buy(timestamp=None).status_code == 201
    assert alice.buy(timestamp=None).status_code == 201


def test_an_idempotency_key_is_the_callers_own(alice: Api, bob: Api):
    first = alice.buy(key="k", timestamp=None)
    assert alice.buy(key="k", timestamp=None).json() == first.json()
    assert bob.buy(key="k", timestamp=None).status_code == 201
    reused = alice.buy(key="k", price="13")
    assert reused.status_code == 422
    assert reused.json()["errors"][0]["code"] == "idempotency_key_reused"
    assert alice.buy(key="k" * 256).status_code == 400


def test_who_may_record_for_whom(alice: Api, bob: Api, till: Api):
    assert alice.buy(username="bob").status_code == 403
    assert alice.buy(userid="id-bob").status_code == 403
    assert till.buy(username="bob", userid="id-bob").json()["username"] == "bob"
    assert till.buy(username="carol", userid="77").status_code == 201
    carol = User.objects.get(username="carol")
    assert not carol.has_usable_password()
    assert till.buy(username="carol", userid="78").status_code == 409
    assert till.buy(username="dave", userid="77").status_code == 409
    assert till.buy(username="nobody").status_code == 400


def test_one_sees_ones_own_and_staff_everything(alice: Api, bob: Api, staff: Api, till: Api):
    id = alice.buy().json()["id"]
    path = f"/api/v1/purchases/{id}/"
    assert alice.get(path).status_code == 200
    assert staff.get(path).status_code == 200
    for other in (bob, till):
        assert other.get(path).status_code == 404
        assert other.get("/api/v1/purchases/").json()["results"] == []
        assert other.get("/getAllUserBuys/alice").status_code == 404
        assert other.get("/api/v1/purchases/export.csv").getvalue().count(b"\n") == 1
    assert Client().get(path).status_code == 401
    assert alice.get("/api/v1/purchases/not-an-id/").status_code == 404


def _many(caller: Api, count: int, **fields) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    entries = [
        Entry(
            Caller.of(caller.user),
            parse_purchase(
                {"price": number, "item": f"i{number}", "timestamp": start} | fields,
                now=start + timedelta(days=900),
            ),
        )
        for number in range(count)
    ]
    assert all(isinstance(outcome, Recorded) for outcome in record_purchases(entries))


@pytest.mark.parametrize("filters", ["", "&min_price=0", "&max_price=9999"])
def test_pages_hold_every_purchase_once_though_all_have_one_timestamp(alice: Api, filters: str):
    _many(alice, 25)
    seen, path = [], f"/api/v1/purchases/?page_size=10{filters}"
    while path:
        page = alice.get(path).json()
        seen += [row["id"] for row in page["results"]]
        last, path = page, page["next"]
    assert len(seen) == len(set(seen)) == 25
    assert (
        alice.get(f"/api/v1/purchases/?page_size=10&cursor=last{filters}").json()["results"][-1][
            "id"
        ]
        == (last["results"][-1]["id"])
    )
    back = alice.get(last["previous"]).json()
    assert [row["id"] for row in back["results"]] == seen[10:20]
    for bad in ("x", "bnx4fHg", "a" * 300):
        assert alice.get(f"/api/v1/purchases/?cursor={bad}").status_code == 400
    assert alice.get("/api/v1/purchases/?page_size=0").status_code == 400


def test_filters(alice: Api, staff: Api):
    for day, price in ((1, 5), (2, 10), (3, 20)):
        alice.buy(timestamp=f"2024-05-0{day}T23:59:59.5Z", price=price, item=f"day {day}")

    def prices(query: str, who: Api = alice) -> list[str]:
        rows = who.get(f"/api/v1/purchases/?{query}").json()["results"]
        return [row["price"] for row in rows]

    assert prices("since=2024-05-02&until=2024-05-02") == ["10.00"]
    assert prices("since=2024-05-02T23:59:59.5Z") == ["20.00", "10.00"]
    assert prices("until=2024-05-02T01:59:59.5%2B02:00") == ["5.00"]
    assert prices("min_price=10&max_price=10.00") == ["10.00"]
    assert prices("item=day 3") == ["20.00"]
    assert prices("username=alice", staff) == ["20.00", "10.00", "5.00"]
    assert prices("username=nobody", staff) == []
    for bad in ("since=x", "until=2024-05-31T00:00:00", "min_price=x", "max_price=NaN"):
        response = alice.get(f"/api/v1/purchases/?{bad}")
        assert response.status_code == 400, bad
        assert response.json()["errors"][0]["attr"] == bad.partition("=")[0]


@pytest.mark.parametrize(
    "price", ["0e999999999999", "1e5", "0e-9", "NaN", "Infinity", "1_0", "٣", "0x1", "1" * 400]
)
@pytest.mark.parametrize("name", ["min_price", "max_price"])
def test_a_price_to_filter_by_is_in_plain_digits(alice: Api, name: str, price: str):
    for path in ("/api/v1/purchases/", "/api/v1/purchases/export.csv", "/purchases/"):
        assert alice.get(f"{path}?{urlencode({name: price})}").status_code in (400, 302)


def test_a_list_takes_the_same_queries_for_2_rows_and_for_50(alice: Api):
    counts = []
    for more in (2, 48):
        _many(alice, more, currency="EUR" if more == 2 else "USD")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert alice.get("/api/v1/purchases/?page_size=100").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_exports_hold_the_filtered_list_and_no_formula(alice: Api):
    alice.buy(item="=1+1")
    alice.buy(item="plain")
    rows = alice.get("/api/v1/purchases/export.csv?item==1%2B1").getvalue().decode().splitlines()
    assert len(rows) == 2
    assert "'=1+1" in rows[1]
    lines = alice.get("/api/v1/purchases/export.jsonl").getvalue().splitlines()
    assert {json.loads(line)["item"] for line in lines} == {"=1+1", "plain"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/v1/purchases/", "/buy"])
@pytest.mark.parametrize("broken_at", ["insert", "commit"])
def test_a_503_says_that_nothing_was_recorded_only_where_that_is_known(
    alice: Api, monkeypatch: pytest.MonkeyPatch, path: str, broken_at: str
) -> None:
    commit = psycopg.Connection.commit

    def lose(*arguments: Any) -> Any:
        lost = psycopg.OperationalError("the connection is lost")
        if broken_at == "commit":
            commit(*arguments)
            raise lost
        raise OperationalError from lost

    with monkeypatch.context() as patch:
        if broken_at == "commit":
            patch.setattr(psycopg.Connection, "commit", lose)
        else:
            patch.setattr(Batch, "write", lose)
        body = {"username": "alice", "userid": "id-alice", "price": "1", "timestamp": WHEN}
        answer = alice.post(path, body)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert (b"nothing was recorded" in answer.content) == (broken_at == "insert")
    assert (b"not known yet" in answer.content) == (broken_at == "commit")
    assert Purchase.objects.count() == (broken_at == "commit")
    assert alice.post(path, body).status_code in (200, 201)
    assert Purchase.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_simultaneous_repeats_are_one_purchase():
    caller = Caller.of(User.objects.create(username="alice", userid="1"))
    purchase = parse_purchase({"price": 1, "timestamp": WHEN}, now=datetime.now(UTC))
    outcomes: list[Any] = []
    barrier = threading.Barrier(12)

    def record() -> None:
        barrier.wait()
        outcomes.extend(record_purchases([Entry(caller, purchase), Entry(caller, purchase, "k")]))
        connections.close_all()

    threads = [threading.Thread(target=record) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 24
    assert Purchase.objects.count() == Outbox.objects.count() == 2
    assert sum(not outcome.replayed for outcome in outcomes) == 2


def test_one_bad_row_does_not_touch_its_neighbours(alice: Api):
    good = parse_purchase({"price": 1, "timestamp": WHEN}, now=datetime.now(UTC))
    foreign = parse_purchase({"price": 1, "username": "bob"}, now=datetime.now(UTC))
    caller = Caller.of(alice.user)
    outcomes = record_purchases([Entry(caller, good), Entry(caller, foreign)])
    assert isinstance(outcomes[0], Recorded)
    assert isinstance(outcomes[1], ApplicationError)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(FIELDS, _json),
    )
)
def test_whatever_comes_is_a_valid_purchase_or_a_clear_error(data):
    try:
        purchase = parse_purchase(data, now=datetime.now(UTC))
    except ValidationFailed as error:
        assert error.errors  # noqa: PT017
    else:
        assert 0 <= purchase.price < Decimal(10) ** 10
        assert 1 <= purchase.quantity <= 1_000_000
        purchase.item.encode()
