"""The ledger through the REST API, in one process."""

import csv
import hashlib
import io
import json
import threading
import tracemalloc
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knox.models import AuthToken

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import CUSTOMER
from events.models import PURCHASE_RECORDED, Outbox
from purchases.entries import Entry, Recorded, identify
from purchases.lines import csv_lines, json_lines
from purchases.models import Purchase
from purchases.services import Batch, record_purchases
from purchases.validation import FIELDS, parse_purchase
from shop.core.errors import ApplicationError, ValidationFailed

WHEN = "2024-05-31T15:54:32.204Z"
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("timestamp", "written"),
    [
        ("2024-05-31T17:54:32.5+02:00", "2024-05-31 15:54:32.500000+00:00"),
        ("2024-05-31T15:54:32Z", "2024-05-31 15:54:32+00:00"),
        ("0999-01-01T00:00:00.000001Z", "0999-01-01 00:00:00.000001+00:00"),
    ],
)
def test_a_purchase_is_known_by_what_it_was_known_by_before(timestamp: str, written: str):
    """The digest is stored: computed otherwise, it would let what was sent before arrive twice."""
    caller = Caller(7, "ann", "u7", int(CUSTOMER))
    data = {"item": "book", "quantity": 2, "price": "12.5", "timestamp": timestamp}
    entry = Entry(caller, parse_purchase(data, now=datetime.now(UTC)))
    text = "\x1f".join(["content", "7", "book", "2", "12.50", "EUR", written])
    expected = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert identify(0, entry, 7, "ann", "u7").dedupe_key == expected


class Api:
    """A client that is signed in with a token."""

    def __init__(self, username: str, **fields: object) -> None:
        self.user = User.objects.create(username=username, userid=f"id-{username}", **fields)
        self.headers = {"Authorization": f"Token {AuthToken.objects.create(self.user)[1]}"}

    def get(self, path: str):
        return Client(headers=self.headers).get(path)

    def post(self, path: str, body, content_type: str = "application/json", **headers: str):
        client = Client(headers=self.headers | headers)
        return client.post(path, body, content_type=content_type)

    def buy(self, **fields):
        key = fields.pop("key", None)
        body = {"item": "book", "price": "12.50", "timestamp": WHEN} | fields
        headers = {"Idempotency-Key": key} if key else {}
        return self.post("/api/v1/purchases/", body, **headers)


@pytest.fixture
def alice() -> Api:
    return Api("alice")


@pytest.fixture
def bob() -> Api:
    return Api("bob")


@pytest.fixture
def till() -> Api:
    return Api("till", is_client=True)


@pytest.fixture
def staff() -> Api:
    return Api("staff", is_staff=True)


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


def test_bulk_takes_the_good_lines_and_names_the_bad(alice: Api):
    path = "/api/v1/purchases/bulk/"
    lines = [{"price": 1, "timestamp": WHEN}, {"price": -1}, {"price": 2, "timestamp": WHEN}]
    body = "\n".join(map(json.dumps, [*lines, lines[0]])) + "\n{bad\n"
    expected = {"recorded": 2, "duplicates": 1, "rejected": 2}
    dry = alice.post(path + "?dry_run=1", body, "application/x-ndjson").json()
    assert {name: dry[name] for name in expected} == expected
    assert not Purchase.objects.exists()
    result = alice.post(path, body, "application/x-ndjson").json()
    assert {name: result[name] for name in expected} == expected
    assert [error["line"] for error in result["errors"]] == [2, 5]
    again = alice.post(path, json.dumps(lines), "application/json").json()
    assert (again["recorded"], again["duplicates"], again["rejected"]) == (0, 2, 1)
    table = "price,timestamp,item\n1," + WHEN + ',\n3,,"a\nb"\nx,,\n1\n'
    csv_result = alice.post(path, table, "text/csv").json()
    assert (csv_result["recorded"], csv_result["duplicates"], csv_result["rejected"]) == (0, 1, 3)
    assert alice.post(path, "{}", "application/json").status_code == 400
    assert alice.post(path, "a,b\n", "text/csv").status_code == 400
    assert alice.post(path, "x", "text/plain").status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'[{"a":' * 60_000,
        b"[[" + b"1," * 500_000 + b"1]]",
        b'[{"price": 1}] x',
        b'[{"price": 1}',
        b'["' + b"x" * 5_000_000,
        b'["' + rb"\u0041" * 1_000_000 + b'"]',
        b"[" + b"1" * 5_000_000 + b"]",
        b"[" + (b"[" + b"[]," * 5000 + b"[]],") * 40,
    ],
)
def test_a_hostile_array_is_an_error_in_little_memory(body: bytes):
    file = io.BytesIO(body)
    tracemalloc.start()
    ((_, last),) = deque(json_lines(file), 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(last, ApplicationError)
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "bad",
    [
        "1" * 4301,
        '{"price": 1e99999999999999999999}',
        '{"price": 1e-99999999999999999999}',
        f'{{"price": {"9" * 5000}}}',
        r'{"price": 1, "item": "A\ud83dB"}',
        r'{"price": 1, "item": "\udead"}',
        r'{"price": 1, "item": "\u0000"}',
        '{"price": 1, "item": "\x00"}',
        '{"price": 1, "item": "' + "x" * 20_000 + '"}',
        "[" * 2000 + "]" * 2000,
        '{"price": 0e999999999999, "quantity": 0e999999999999}',
        '{"price": 1]',
        "NaN",
        "tru",
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_a_bad_element_or_line_is_one_error_and_touches_no_other(
    alice: Api, content_type: str, bad: str
):
    lines = ['{"price": 1}', bad, '{"price": "2", "item": "[{]},\\\\"}']
    array = content_type == "application/json"
    body = f"\ufeff[{', '.join(lines)}]" if array else "\ufeff" + "\n".join(lines)
    result = alice.post("/api/v1/purchases/bulk/", body, content_type).json()
    assert (result["recorded"], result["rejected"]) == (2, 1)
    assert result["errors"][0]["line"] == 2
    assert {purchase.item for purchase in Purchase.objects.all()} == {"", "[{]},\\"}
    if "price" in bad:
        single = alice.post("/api/v1/purchases/", bad, "application/json")
        assert (single.status_code, single.json()["type"][-5:]) in ((400, "error"),)


def test_an_open_quote_in_each_line_costs_no_more_than_a_constant_number_of_readings():
    """Counted rather than timed: how many bytes of lines the reader decodes."""
    read = 0

    class Counted(bytes):
        def decode(self, *arguments: Any) -> str:
            nonlocal read
            read += len(self)
            return super().decode(*arguments)

    class File(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            return Counted(super().readline(size))

    for line in (b'x","\n', b'1,"open\n', b'"\n', b'1,"a"b\n', b'1,"' + b"x" * 500 + b"\n"):
        body = b"price,item\n" + line * 3000
        read = 0
        assert sum(1 for _ in csv_lines(File(body))) > 0
        assert read <= len(body) * 10


def test_blank_lines_without_end_are_refused(alice: Api):
    for content_type in ("application/x-ndjson", "text/csv"):
        body = b"price\n" + b"\n" * 1_000_001
        answer = alice.post("/api/v1/purchases/bulk/", body, content_type)
        assert answer.status_code == 413


def test_a_repeated_bulk_request_with_a_key_records_nothing_twice(alice: Api):
    body = '{"price": 1}\n{"price": 1}\n'
    first, again = (
        alice.post(
            "/api/v1/purchases/bulk/", body, "application/x-ndjson", **{"Idempotency-Key": "b"}
        ).json()
        for _ in range(2)
    )
    assert (first["recorded"], again["duplicates"]) == (2, 2)


def test_bulk_shows_the_errors_of_the_first_lines(till: Api):
    taken = {"userid": "1", "username": "id-till", "price": 1}
    till.buy(userid="1", username="carol")
    body = (json.dumps(taken) + "\n") * 2000 + "{bad\n" * 1000 + '{"price": 1}\n'
    result = till.post("/api/v1/purchases/bulk/", body, "application/x-ndjson").json()
    assert (result["recorded"], result["rejected"]) == (1, 3000)
    assert [error["line"] for error in result["errors"]] == list(range(1, 1001))
    assert result["errors"][0]["errors"][0]["code"] == "userid_conflict"


# What no CSV reader can make sense of, each on one line, with a word of the reason.
BROKEN_LINES = {
    "1,a\rb": "new-line",
    "1," + "x" * 17_000: "bytes",
    '1,"open': "not closed",
    '1,"a"b': "expected after",
}


@pytest.mark.parametrize("broken", BROKEN_LINES, ids=BROKEN_LINES.values())
def test_a_line_that_is_no_csv_touches_no_other(alice: Api, broken: str):
    lines = ["price,item", "1,first", broken, *(f"1,item {number}" for number in range(20_000))]
    body = "\n".join(lines) + "\n"
    result = alice.post("/api/v1/purchases/bulk/", body.encode(), "text/csv").json()
    assert (result["recorded"], result["rejected"]) == (20_001, 1)
    (error,) = result["errors"]
    assert error["line"] == 3
    assert BROKEN_LINES[broken] in error["errors"][0]["detail"]


def test_a_quote_that_stays_open_takes_no_line_with_it(alice: Api):
    body = 'price,item\n1,"open\n\n2,x\n3,"y"\n4,"open\n5,z\n'
    result = alice.post("/api/v1/purchases/bulk/", body, "text/csv").json()
    assert result["recorded"] == 3
    assert [error["line"] for error in result["errors"]] == [2, 6]


def _import(path: Path, columns: str) -> str:
    output = io.StringIO()
    call_command("import_purchases", path, columns=columns, stdout=output, stderr=io.StringIO())
    return output.getvalue()


@pytest.mark.parametrize("broken", BROKEN_LINES, ids=BROKEN_LINES.values())
def test_an_import_goes_on_after_a_line_that_is_no_csv(tmp_path: Path, broken: str):
    lines = [
        "ID,Amount,Date",
        f"1,1,{WHEN}",
        f"2,{broken}",
        "",
        *[f"3,{n},{WHEN}" for n in range(9_999)],
    ]
    path = tmp_path / "purchases.csv"
    path.write_text("\n".join(lines) + "\n", newline="")
    columns = "userid=ID,price=Amount,timestamp=Date"
    assert _import(path, columns).startswith("10000 recorded, 0 duplicates, 1 rejected")
    assert _import(path, columns).startswith("0 recorded, 10000 duplicates, 1 rejected")
    with path.with_name("purchases.csv.rejected.csv").open(newline="") as file:
        (rejected,) = csv.DictReader(file)
    assert rejected["ID"].startswith(f"2,{broken}"[:16_000])
    assert BROKEN_LINES[broken] in rejected["reason"]


def test_an_import_refuses_a_header_that_is_no_csv(tmp_path: Path):
    path = tmp_path / "purchases.csv"
    path.write_text("ID\rAmount\n1,2\n", newline="")
    with pytest.raises(CommandError, match="The header"):
        _import(path, "userid=ID,price=Amount,timestamp=Date")


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
