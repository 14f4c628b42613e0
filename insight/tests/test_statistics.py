"""The statistics API against plain SQL over the ledger, in zones with awkward clocks."""

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from events.models import FollowerCursor
from insight.statistics import distinct, facts, sales
from insight.tests.test_rollups import START, bought, follow_now, some

ZONES = [
    *("UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham"),
    *("Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo"),
    *("Africa/Cairo", "Asia/Gaza"),
]
# Days on which clocks change in one of the zones, or a day is missing.
DAYS = [
    *(date(2011, 12, 29), date(2011, 12, 31), date(2018, 11, 4), date(2018, 2, 17)),
    *(date(2026, 3, 29), date(2026, 10, 25), date(2026, 4, 5), date(2026, 10, 4)),
    *(date(2023, 4, 28), date(2023, 10, 27), date(2024, 2, 29), date(2010, 11, 7)),
]


@pytest.fixture
def staff() -> Client:
    user = User.objects.create(username="boss", userid="boss", is_staff=True)
    client = Client()
    client.force_login(user)
    return client


def get(client: Client, kind: str, status: int = 200, /, **query: Any) -> Any:
    response = client.get(f"/api/v1/statistics/{kind}/", query)
    assert response.status_code == status, response.content
    return response.json()


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def money(value: Any) -> str:
    return f"{value:.2f}"


def _between(since: datetime, until: datetime, more: str = "") -> dict[str, tuple[Any, ...]]:
    found = rows(
        f"""SELECT currency, count(*), sum(quantity), sum(price * quantity),
            count(DISTINCT customer_id) FROM purchases_purchase
        WHERE timestamp >= %s AND timestamp < %s {more} GROUP BY currency""",
        since,
        until,
    )
    return {row[0]: (row[1], row[2], money(row[3]), row[4]) for row in found}


def _figures(part: Any) -> tuple[Any, ...]:
    return part["purchases"], part["quantity"], part["revenue"], part["customers"]


NONE = (0, 0, "0.00", 0)


def assert_equals_ledger(answer: Any, more: str = "") -> None:
    """Compare every period and the totals with the ledger, by their own bounds."""
    since, until = (datetime.fromisoformat(answer[name]) for name in ("since", "until"))
    totals = _between(since, until, more)
    assert {block["currency"] for block in answer["currencies"]} == set(totals)
    for block in answer["currencies"]:
        currency = block["currency"]
        assert _figures(block["totals"]) == totals[currency]
        periods = block["periods"]
        for name in ("purchases", "quantity"):
            assert sum(each[name] for each in periods) == block["totals"][name]
        revenue = sum(Decimal(each["revenue"]) for each in periods)
        assert money(revenue) == block["totals"]["revenue"]
        starts = [datetime.fromisoformat(each["start"]) for each in periods]
        ends = [datetime.fromisoformat(each["end"]) for each in periods]
        assert [since, *ends] == [*starts, until]
        for period, start, end in zip(periods, starts, ends, strict=True):
            if period["purchases"]:
                assert _figures(period) == _between(start, end, more)[currency]
            else:
                assert _figures(period) == NONE
    found = sum(
        sum(each["purchases"] for each in block["periods"]) for block in answer["currencies"]
    )
    assert found == sum(each[0] for each in totals.values())


def _local_days(answer: Any, zone: str) -> dict[str, int]:
    """Return the purchases of each day of the answer."""
    found: dict[str, int] = {}
    for block in answer["currencies"]:
        for period in block["periods"]:
            if period["purchases"]:
                found[period["start"][:10]] = (
                    found.get(period["start"][:10], 0) + period["purchases"]
                )
    return found


@pytest.mark.django_db
@settings(
    max_examples=11,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_figure_equals_the_ledger(staff: Client, data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES))
    day = data.draw(st.sampled_from(DAYS))
    interval = data.draw(st.sampled_from(["hour", "day", "week", "month", "year"]))
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    seed = data.draw(st.integers(0, 10**6))
    some(25, seed, start=midnight - timedelta(days=2), days=4)
    if data.draw(st.booleans()):
        # The rest is the part of the log that the roll-ups do not have yet.
        follow_now()
        some(5, seed + 1, start=midnight - timedelta(days=1), days=2)
    begins = data.draw(
        st.sampled_from(
            [
                str(day - timedelta(days=1)),
                f"{day:%Y-%m}",
                (midnight - timedelta(hours=30, minutes=7)).isoformat(),
            ]
        )
    )
    if interval == "hour" and len(begins) == 7:
        begins = str(day)
    query = {"since": begins, "until": str(day + timedelta(days=1)), "interval": interval}
    query |= {"time_zone": zone}
    week_start = data.draw(st.sampled_from(["monday", "sunday"]))
    assert_equals_ledger(get(staff, "sales", week_start=week_start, **query))
    assert_equals_ledger(get(staff, "sales", item="book", **query), "AND item = 'book'")
    assert_equals_ledger(get(staff, "sales", currency="EUR", **query), "AND currency = 'EUR'")
    buyer = User.objects.get(username="buyer 1")
    whose = f"AND customer_id = {buyer.pk}"
    assert_equals_ledger(get(staff, "sales", username="Buyer 1", **query), whose)
    answer = get(staff, "sales", **query)
    if interval == "day" and zone != "America/St_Johns":
        # PostgreSQL's own days; in St. John's, clocks once went back over midnight.
        local = rows(
            """SELECT ((timestamp AT TIME ZONE %s)::date)::text, count(*) FROM purchases_purchase
            WHERE timestamp >= %s AND timestamp < %s GROUP BY 1""",
            zone,
            answer["since"],
            answer["until"],
        )
        days = _local_days(answer, zone)
        if "T" not in begins:
            assert days == dict(local)
    items = get(staff, "items", limit=2, **query)
    for block, sums in zip(items["currencies"], answer["currencies"], strict=True):
        assert block["currency"] == sums["currency"]
        parts = [*block["items"], block["other"]]
        for name in ("purchases", "quantity", "revenue"):
            assert sum(Decimal(part[name]) for part in parts) == Decimal(sums["totals"][name])
    customers = get(staff, "customers", **query)
    for currency in ("EUR", "JPY"):
        total = sum(Decimal(c["revenue"]) for c in customers["top"] if c["currency"] == currency)
        assert total == sum(
            Decimal(block["totals"]["revenue"])
            for block in answer["currencies"]
            if block["currency"] == currency
        )
    weekdays = get(staff, "weekdays", **query)
    expected = rows(
        """SELECT extract(isodow FROM timestamp AT TIME ZONE %s)::int - 1,
            extract(hour FROM timestamp AT TIME ZONE %s)::int, currency, count(*)
        FROM purchases_purchase WHERE timestamp >= %s AND timestamp < %s GROUP BY 1, 2, 3""",
        zone,
        zone,
        answer["since"],
        answer["until"],
    )
    found = {
        (day, hour, block["currency"], count)
        for block in weekdays["currencies"]
        for day, hours in enumerate(block["purchases"])
        for hour, count in enumerate(hours)
        if count
    }
    assert found == set(expected)


def _lengths(answer: Any) -> dict[str, float]:
    """Return the hours of each period by its start."""
    return {
        period["start"]: (
            datetime.fromisoformat(period["end"]) - datetime.fromisoformat(period["start"])
        ).total_seconds()
        / 3600
        for period in answer["currencies"][0]["periods"]
    }


@pytest.mark.django_db
def test_days_are_as_long_as_people_have_them(staff: Client) -> None:
    def lengths(zone: str, since: str, until: str, interval: str = "day") -> dict[str, float]:
        query = {"time_zone": zone, "since": since, "until": until, "interval": interval}
        return _lengths(get(staff, "sales", currency="EUR", **query))

    days = lengths("Europe/Amsterdam", "2026-03-28", "2026-03-30")
    assert list(days.values()) == [24, 23, 24]
    days = lengths("Australia/Lord_Howe", "2026-04-05", "2026-04-05")
    assert days == {"2026-04-05T00:00:00+11:00": 24.5}
    days = lengths("America/Sao_Paulo", "2018-11-04", "2018-11-04")
    assert days == {"2018-11-04T01:00:00-02:00": 23}
    days = lengths("Pacific/Apia", "2011-12-28", "2011-12-31")
    assert [start[:10] for start in days] == ["2011-12-28", "2011-12-29", "2011-12-31"]
    hours = lengths("Europe/Amsterdam", "2026-10-25", "2026-10-25", "hour")
    assert len(hours) == 25
    assert {"2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"} <= set(hours)
    hours = lengths("Australia/Lord_Howe", "2026-04-05", "2026-04-05", "hour")
    assert {"2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30"} <= set(hours)
    assert hours["2026-04-05T01:30:00+10:30"] == 0.5


@pytest.mark.django_db
def test_odd_offsets_of_long_ago_are_read_from_the_ledger(staff: Client) -> None:
    buyer = User.objects.create(username="old", userid="old")
    start = datetime(1970, 6, 1, tzinfo=UTC)
    bought(
        {
            "customer_id": buyer.pk,
            "item": "",
            "price": Decimal("1.00"),
            "currency": "USD",
            "timestamp": start + timedelta(seconds=37 * n),
        }
        for n in range(100)
    )
    follow_now()
    # Monrovia was at -00:44:30.
    for interval in ("hour", "day"):
        query = {"time_zone": "Africa/Monrovia", "since": "1970-05-31", "until": "1970-06-02"}
        assert_equals_ledger(get(staff, "sales", interval=interval, **query))
    week = get(staff, "weekdays", **query)
    assert sum(map(sum, week["currencies"][0]["purchases"])) == 100


@pytest.mark.django_db
def test_the_hours_of_a_week_are_those_of_one_set_of_zones(staff: Client) -> None:
    # PostgreSQL takes CET for a fixed offset, and Accra for Abidjan.
    moments = [
        ("CET", datetime(2024, 7, 1, 12, tzinfo=UTC)),
        ("CET", datetime(2024, 12, 2, 23, 30, tzinfo=UTC)),
        ("Africa/Accra", datetime(1945, 1, 1, 23, 50, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 9, 59, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, 0, tzinfo=UTC)),
    ]
    buyer = User.objects.create(username="one", userid="one")
    usual = {"customer_id": buyer.pk, "item": "", "price": Decimal(1), "currency": "EUR"}
    bought(usual | {"timestamp": moment} for _zone, moment in moments)
    follow_now()
    for zone in {zone for zone, _moment in moments}:
        (block,) = get(staff, "weekdays", time_zone=zone, since="1900", until="2100")["currencies"]
        expected = [[0] * 24 for _ in range(7)]
        for _zone, moment in moments:
            local = moment.astimezone(ZoneInfo(zone))
            expected[local.weekday()][local.hour] += 1
        assert block["purchases"] == expected, zone


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
    assert _figures(compared["totals"]) == _between(since, until)["EUR"]
    year = get(staff, "sales", compare="year", currency="EUR", **query)["currencies"][0]
    assert year["compared"]["since"] == "2023-05-08T00:00:00+02:00"
    assert _figures(year["compared"]["totals"]) == NONE
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
def test_items_of_a_part_of_a_day_are_those_of_the_ledger(staff: Client) -> None:
    some(150, start=START.replace(hour=0, minute=0), days=2)
    follow_now()
    some(10, seed=2, start=START, days=1)
    day = START.replace(hour=0, minute=0)
    for first, last in ((1, 47), (22, 26), (3, 21), (11, 13), (0, 24), (2, 24), (23, 48), (30, 31)):
        since, until = (day + timedelta(hours=each, minutes=7) for each in (first, last))
        answer = get(staff, "items", since=since.isoformat(), until=until.isoformat())
        found = {
            (block["currency"], each["item"], each["purchases"], each["quantity"], each["revenue"])
            for block in answer["currencies"]
            for each in block["items"]
        }
        expected = rows(
            """SELECT currency, item, count(*), sum(quantity), sum(price * quantity)::text
            FROM purchases_purchase WHERE timestamp >= %s AND timestamp < %s GROUP BY 1, 2""",
            since,
            until,
        )
        assert found == set(expected)
        one = {"since": since.isoformat(), "until": until.isoformat(), "interval": "year"}
        assert_equals_ledger(get(staff, "sales", item="book", **one), "AND item = 'book'")


@pytest.mark.django_db
def test_figures_are_exact_while_the_follower_lags_and_say_when_not(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"since": "2024-02-20", "until": "2024-03-10"}
    some(10)
    follow_now()
    some(10, seed=2)
    answer = get(staff, "sales", **query)
    assert answer["exact"] is True
    assert_equals_ledger(answer)
    monkeypatch.setattr(facts, "LAG_MAX", 9)
    late = get(staff, "sales", **query)
    assert (late["exact"], late["position"]) == (False, answer["position"] - 10)
    assert sum(each["totals"]["purchases"] for each in late["currencies"]) == 10
    # What is read from the ledger is of that position, too.
    cut = {"since": "2024-02-20T00:07:00Z", "until": "2024-03-10T00:07:00Z"}
    for query in (cut, cut | {"time_zone": "Asia/Kathmandu"}, {**cut, "item": ""}):
        late = get(staff, "items", **query)
        assert late["position"] == answer["position"] - 10
        sold = sum(each["totals"]["purchases"] for each in late["currencies"])
        first = rows(
            """SELECT count(*) FROM purchases_purchase p JOIN events_event e ON e.id = p.id
            WHERE e.position <= %s AND (%s OR item = '')""",
            late["position"],
            "item" not in query,
        )
        assert sold == first[0][0]
    mine = get(staff, "sales", username="buyer 1", **cut)
    (told,) = rows(
        """SELECT count(*) FROM purchases_purchase p JOIN events_event e ON e.id = p.id
        JOIN accounts_user u ON u.id = p.customer_id
        WHERE e.position <= %s AND u.username = 'buyer 1'""",
        mine["position"],
    )
    assert sum(each["totals"]["purchases"] for each in mine["currencies"]) == told[0]
    query = {"since": "2024-02-20", "until": "2024-03-10"}
    monkeypatch.undo()
    follow_now()
    assert FollowerCursor.objects.get().position == answer["position"]
    assert_equals_ledger(get(staff, "sales", **query))


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
