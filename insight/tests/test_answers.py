"""What the statistics API answers: ranges, refusals, whose figures, files and pages."""

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from insight.statistics import distinct, facts, sales
from insight.tests.questions import (
    NONE,
    assert_equals_ledger,
    figures_of,
    get,
    ledger_between,
)
from insight.tests.test_rollups import bought, follow_now, some


@pytest.mark.django_db
def test_ranges_periods_and_comparison(staff: Client) -> None:
    some(80, start=datetime(2024, 4, 20, tzinfo=UTC), days=40)
    follow_now()
    query = {"since": "2024-05-08", "until": "2024-05-31", "time_zone": "Europe/Amsterdam"}
    answer = get(staff, "sales", interval="month", compare="previous", currency="EUR", **query)
    block = answer["currencies"][0]
    (period,) = block["periods"]
    assert period["start"] == "2024-05-08T00:00:00+02:00"
    assert period["end"] == "2024-06-01T00:00:00+02:00"
    assert (period["partial"], period["complete"]) == (True, True)
    compared = block["compared"]
    assert compared["since"] == "2024-04-14T00:00:00+02:00"
    assert compared["until"] == "2024-05-08T00:00:00+02:00"
    since, until = (datetime.fromisoformat(compared[name]) for name in ("since", "until"))
    assert figures_of(compared["totals"]) == ledger_between(since, until)["EUR"]
    year = get(staff, "sales", compare="year", currency="EUR", **query)["currencies"][0]
    assert year["compared"]["since"] == "2023-05-08T00:00:00+02:00"
    assert figures_of(year["compared"]["totals"]) == NONE
    now = get(staff, "sales", currency="EUR")["currencies"][0]["periods"]
    assert len(now) == 30
    assert [each["complete"] for each in now] == [True] * 29 + [False]
    weeks = get(staff, "sales", currency="EUR", interval="week", week_start="sunday", **query)
    assert [each["partial"] for each in weeks["currencies"][0]["periods"]] == [
        *(True, False, False, True),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "code", "attr"),
    [
        ({"since": "2000-01-01", "until": "2024-01-01"}, "too_many_periods", "interval"),
        ({"since": "2024-01-01", "until": "2024-03-01", "interval": "hour"}, None, "interval"),
        ({"time_zone": "Mars/Olympus"}, "invalid", "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "invalid", "time_zone"),
        ({"interval": "decade"}, "invalid_choice", "interval"),
        ({"week_start": "noon"}, "invalid_choice", "week_start"),
        ({"compare": "never"}, "invalid_choice", "compare"),
        ({"since": "yesterday"}, "invalid", "since"),
        ({"since": "0001-01-01", "until": "0001-01-02"}, "invalid", "since"),
        ({"since": "9999-12-30", "until": "9999-12-31"}, "invalid", "until"),
        ({"since": "2024-05-02", "until": "2024-05-01"}, "invalid", "until"),
        ({"since": "2024-05-01T00:00:00"}, "invalid", "since"),
        ({"currency": "euro"}, "invalid", "currency"),
        ({"limit": "0"}, "invalid", "limit"),
        ({"limit": "000000001" + "9" * 5000}, "invalid", "limit"),
        ({"time_zone": "localtime"}, "invalid", "time_zone"),
        ({"item": "x" * 201}, "invalid", "item"),
    ],
)
def test_bad_questions(staff: Client, query: dict[str, str], code: str, attr: str) -> None:
    error = get(staff, "sales", 400, **query)["errors"][0]
    assert error["code"] == (code or "too_many_periods")
    assert error["attr"] == attr


@pytest.mark.django_db
def test_a_customer_sees_its_own_figures_only(staff: Client) -> None:
    some(60)
    follow_now()
    whole = {"since": "2024-02", "until": "2024-03"}
    shop = get(staff, "sales", **whole)
    buyer = User.objects.get(username="buyer 2")
    client = Client()
    client.force_login(buyer)
    whose = f"AND customer_id = {buyer.pk}"
    for _ in range(2):
        answer = get(client, "sales", **whole)
        assert_equals_ledger(answer, whose)
        assert answer != shop
    assert_equals_ledger(get(client, "sales", username="BUYER 2", **whole), whose)
    customers = get(client, "customers", **whole)
    assert {each["username"] for each in customers["top"]} == {"buyer 2"}
    assert (customers["new"], customers["returning"]) == (1, 0)
    for name in ("buyer 1", "nobody"):
        assert get(client, "sales", 403, username=name)["errors"][0]["code"] == "permission_denied"
    for kind in ("sales", "items", "customers", "cohorts", "weekdays"):
        for ending in ("csv", "xlsx"):
            response = client.get(f"/api/v1/statistics/{kind}.{ending}", whole)
            assert response.status_code == 200
            assert b"buyer 1" not in response.content
        mine = get(client, kind, **whole)
        assert "buyer 1" not in str(mine)
    assert get(client, "limits")["oldest"] > get(staff, "limits")["oldest"]
    nobody = get(staff, "sales", username="nobody", **whole)
    assert nobody["currencies"] == []


@pytest.mark.django_db
def test_an_answer_is_named_by_its_position(staff: Client) -> None:
    some(20)
    follow_now()
    query = {"since": "2024-02-20", "until": "2024-03-10"}
    url = "/api/v1/statistics/sales/"
    first = staff.get(url, query)
    etag = first["ETag"]
    assert staff.get(url, query, headers={"If-None-Match": etag}).status_code == 304
    csv_url = "/api/v1/statistics/sales.csv"
    tag = staff.get(csv_url, query)["ETag"]
    assert staff.get(csv_url, query, headers={"If-None-Match": tag}).status_code == 304
    # Another question, and another's figures, have another tag.
    assert staff.get(url, query | {"item": "book"})["ETag"] != etag
    buyer = Client()
    buyer.force_login(User.objects.get(username="buyer 2"))
    assert buyer.get(url, query, headers={"If-None-Match": etag}).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert staff.get(url, query, headers={"If-None-Match": etag}).status_code == 304
    assert not [one for one in queries.captured_queries if "insight_slot" in one["sql"]]
    some(1, seed=9)
    second = staff.get(url, query, headers={"If-None-Match": etag})
    assert second.status_code == 200
    assert second.json()["position"] == first.json()["position"] + 1
    assert_equals_ledger(second.json())


@pytest.mark.django_db
def test_names_of_customers_are_the_present_ones_and_never_remembered(staff: Client) -> None:
    some(20)
    follow_now()
    url, query = "/api/v1/statistics/customers/", {"since": "2024-02", "until": "2024-03"}
    before = staff.get(url, query)
    assert "buyer 1" in before.content.decode()
    same = staff.get(url, query, headers={"If-None-Match": before["ETag"]})
    assert same.status_code == 304
    User.objects.filter(username="buyer 1").update(username="erased-1", userid="erased-1")
    after = staff.get(url, query, headers={"If-None-Match": before["ETag"]})
    assert (after.status_code, after.json()["position"]) == (200, before.json()["position"])
    assert "buyer 1" not in after.content.decode()
    assert "erased-1" in staff.get("/api/v1/statistics/customers.csv", query).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("grown_max", "stale"), [(3000, 300), (3000, 0), (-1, 0)])
def test_what_is_remembered_grows_with_the_log(
    staff: Client, monkeypatch: pytest.MonkeyPatch, grown_max: int, stale: int
) -> None:
    # Without growth, sales are added up, and only the numbers of customers are remembered.
    monkeypatch.setattr(sales, "GROWN_MAX", grown_max)
    monkeypatch.setattr(sales, "STALE", stale)
    monkeypatch.setattr(distinct, "STALE", stale)
    query = {"since": "2024-02-20", "until": "2024-03-10", "interval": "week"}
    query |= {"time_zone": "Asia/Kathmandu"}
    for seed in range(4):
        some(6, seed)
        if seed % 2:
            follow_now()
        buyer = User.objects.get(username="buyer 1").pk
        for more, condition in (
            ({}, ""),
            ({"item": "book"}, "AND item = 'book'"),
            ({"username": "buyer 1"}, f"AND customer_id = {buyer}"),
        ):
            for _ in range(2):
                answer = get(staff, "sales", **query, **more)
                assert_equals_ledger(answer, condition)
    cache.clear()
    assert answer == get(staff, "sales", **query, **more) | {"as_of": answer["as_of"]}


@pytest.mark.django_db
def test_cohorts_new_and_returning_customers(staff: Client) -> None:
    first = [User.objects.create(username=f"c{n}", userid=f"c{n}").pk for n in range(3)]

    def buy(customer: int, day: str, price: str = "2.00", currency: str = "EUR") -> Iterable[Any]:
        yield {
            "customer_id": first[customer],
            "item": "x",
            "price": Decimal(price),
            "currency": currency,
            "timestamp": datetime.fromisoformat(f"{day}T12:00:00+00:00"),
        }

    for each in (
        *((0, "2017-01-05"), (0, "2017-02-05"), (1, "2017-01-09"), (2, "2017-02-01")),
        *((2, "2017-03-31"), (0, "2017-03-01", "1.00", "USD")),
    ):
        bought(buy(*each))
    follow_now()
    query = {"since": "2017-01", "until": "2017-03"}
    answer = get(staff, "cohorts", **query)
    assert answer["months"] == ["2017-01", "2017-02", "2017-03"]
    assert answer["cohorts"] == [
        {
            "month": "2017-01",
            "customers": 2,
            "active": [2, 1, 1],
            "revenue": {"EUR": ["4.00", "2.00", "0.00"], "USD": ["0.00", "0.00", "1.00"]},
        },
        {
            "month": "2017-02",
            "customers": 1,
            "active": [1, 1],
            "revenue": {"EUR": ["2.00", "2.00"]},
        },
    ]
    february = {"since": "2017-02", "until": "2017-02"}
    customers = get(staff, "customers", **february)
    assert (customers["new"], customers["returning"], customers["repeat"]) == (1, 1, 0)
    # A late purchase long ago makes another month the first one of its customer.
    bought(buy(2, "2016-12-31"))
    assert [each["customers"] for each in get(staff, "cohorts", **query)["cohorts"]] == [2]
    follow_now()
    assert [each["customers"] for each in get(staff, "cohorts", **query)["cohorts"]] == [2]
    customers = get(staff, "customers", **february)
    assert (customers["new"], customers["returning"]) == (0, 2)
    # At 23 h UTC it is 2017 in Amsterdam.
    assert get(staff, "limits")["oldest"] == "2016-12-31T12:00:00.000000Z"
    whole = get(staff, "customers", since="2016", until="2017")
    assert (whole["new"], whole["repeat"], whole["repeat_rate"]) == (3, 2, 0.6667)


@pytest.mark.django_db
def test_files_have_the_figures_and_no_formula(staff: Client) -> None:
    some(60)
    follow_now()
    query = {"since": "2024-02-20", "until": "2024-03-10"}
    items = get(staff, "items", **query)
    text = staff.get("/api/v1/statistics/items.csv", query).content.decode()
    table = list(csv.DictReader(io.StringIO(text)))
    expected = [
        (block["currency"], each["item"].replace("=", "'="), each["revenue"])
        for block in items["currencies"]
        for each in block["items"]
    ]
    assert [(row["currency"], row["item"], row["revenue"]) for row in table] == expected
    assert any(row["item"] == "'=1+1" for row in table)
    for kind in ("sales", "items", "customers", "cohorts", "weekdays"):
        content = staff.get(f"/api/v1/statistics/{kind}.xlsx", query).content
        book = zipfile.ZipFile(io.BytesIO(content))
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        names = [each.tag.rpartition("}")[2] for each in sheet.iter()]
        text = staff.get(f"/api/v1/statistics/{kind}.csv", query).content.decode()
        assert names.count("row") == len(list(csv.reader(io.StringIO(text)))) > 1
        assert "f" not in names
    assert staff.get("/api/v1/statistics/limits.csv").status_code == 404


@pytest.mark.django_db
def test_the_page_shows_ones_own_figures_or_the_shops(staff: Client) -> None:
    some(60)
    follow_now()
    query = {"since": "2024-02", "until": "2024-03"}
    answer = get(staff, "customers", **query)
    page = staff.get("/statistics/", query | {"compare": "previous"}).content.decode()
    for text in ("Sales in EUR", "Sales in JPY", "buyer 1", "Who came back", "sales.xlsx?"):
        assert text in page
    assert f"username={answer['top'][0]['username'].replace(' ', '%20')}" in page
    buyer = Client()
    buyer.force_login(User.objects.get(username="buyer 2"))
    own = buyer.get("/statistics/", query).content.decode()
    assert "Sales in EUR" in own
    assert "buyer 1" not in own
    assert "Nothing was bought" in buyer.get("/statistics/").content.decode()
    wrong = staff.get("/statistics/", {"since": "someday", "until": "1.2.2024"})
    assert wrong.status_code == 400
    assert "data-focus" in wrong.content.decode()
    many = {"since": "2000", "until": "2024", "interval": "day"}
    assert staff.get("/statistics/", many).status_code == 400
    long = staff.get("/statistics/", {"since": "2010-01-01", "until": "31.12.2025"})
    assert long.status_code == 200


@pytest.mark.django_db
def test_a_question_may_take_longer_than_other_statements_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "answer_seconds", 0.1)
    with facts.snapshot("default", 5) as (cursor, _state):
        cursor.execute("SELECT pg_sleep(0.7)")
    assert connection.connection.answer_seconds == 0.1
    with (
        pytest.raises(facts.TooMuch),
        transaction.atomic(),
        facts.snapshot("default", 0.2) as (cursor, _state),
    ):
        cursor.execute("SELECT pg_sleep(2)")
