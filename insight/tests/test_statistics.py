"""The statistics API against plain SQL over the ledger, in zones with awkward clocks."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from events.models import FollowerCursor
from insight.statistics import facts
from insight.tests.questions import assert_equals_ledger, get, rows
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
