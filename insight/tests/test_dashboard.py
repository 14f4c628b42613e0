"""The dashboard against plain SQL, in zones with awkward clocks."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from events.models import Outbox
from events.tests.log import number
from insight import figures, remembered, selectors
from insight.board import Compared
from insight.figures import figures_for
from insight.periods import Period, so_far, week_before
from insight.statistics.facts import Facts
from purchases.models import Purchase
from shop.core.ids import uuid7

pytestmark = pytest.mark.django_db

# Days on which clocks change: in Europe, on an island by half an hour, and at midnight.
NOWS = [
    ("UTC", "2026-11-26T14:05:00+00:00"),
    ("Asia/Kathmandu", "2026-11-26T18:20:00+00:00"),
    ("America/St_Johns", "2026-03-08T20:00:00+00:00"),
    ("Europe/Berlin", "2026-10-25T00:30:00+00:00"),
    ("Europe/Berlin", "2026-10-25T01:30:00+00:00"),
    ("Europe/Berlin", "2026-10-25T22:59:00+00:00"),
    ("Europe/Berlin", "2026-03-29T01:30:00+00:00"),
    ("Australia/Lord_Howe", "2026-04-04T16:00:00+00:00"),
    ("America/Havana", "2026-03-08T05:30:00+00:00"),
    ("America/Havana", "2026-03-15T04:30:00+00:00"),
]


def _customer(name: str = "joe") -> User:
    return User.objects.get_or_create(username=name, defaults={"userid": f"id-{name}"})[0]


def _purchase(moment: datetime, price: str = "10.00", **fields: object) -> Purchase:
    customer = fields.pop("customer", None) or _customer()
    return Purchase(
        **{
            "id": uuid7(),
            "customer": customer,
            "recorded_by": customer,
            "price": Decimal(price),
            "currency": "EUR",
            "timestamp": moment,
            "item": "book",
            "dedupe_key": uuid.uuid4(),
        }
        | fields
    )


def _buy(moment: datetime, price: str = "10.00", **fields: object) -> None:
    _record([_purchase(moment, price, **fields)])


def _record(purchases: list[Purchase]) -> None:
    """Record purchases, and give their events positions."""
    Purchase.objects.bulk_create(purchases)
    Outbox.objects.bulk_create(
        Outbox(key=one.id, customer_id=one.customer_id, type=1, xid=1) for one in purchases
    )
    while number():
        continue


def _sums_in_sql(begin: str, end: str, zone: str) -> dict[str, tuple[int, Decimal]]:
    """Return count and amount by currency between two local times of the zone, by PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT currency, count(*), sum(price * quantity) FROM purchases_purchase"
            ' WHERE "timestamp" AT TIME ZONE %s >= %s::timestamp'
            ' AND "timestamp" < %s::timestamptz GROUP BY 1',
            [zone, begin, end],
        )
        return {currency: (count, amount) for currency, count, amount in cursor.fetchall()}


@pytest.mark.parametrize(("name", "now"), NOWS)
def test_today_is_the_readers_day_and_is_compared_with_the_same_time(name: str, now: str) -> None:
    zone, moment = ZoneInfo(name), datetime.fromisoformat(now)
    # A purchase each 20 minutes over nine days, with amounts that tell them apart.
    _record(
        [
            _purchase(
                moment + timedelta(hours=1) - number * timedelta(minutes=20),
                price=f"{number}.0{number % 7}",
                currency=("EUR", "USD")[number % 2],
            )
            for number in range(9 * 24 * 3)
        ]
    )
    today, before = so_far(moment, zone), week_before(moment, zone)

    local = moment.astimezone(zone)
    found = selectors.turnover("default", today)
    assert {each.currency: (each.purchases, each.amount) for each in found.day} == _sums_in_sql(
        f"{local:%Y-%m-%d}", moment.isoformat(), name
    )
    earlier = local.date() - timedelta(days=7)
    assert before.day.astimezone(zone).date() == earlier
    found = selectors.turnover("default", before)
    assert {each.currency: (each.purchases, each.amount) for each in found.day} == _sums_in_sql(
        f"{earlier:%Y-%m-%d}", before.until.isoformat(), name
    )


@pytest.mark.parametrize(("name", "now"), NOWS)
def test_periods_begin_with_the_day_and_hold_24_hours(name: str, now: str) -> None:
    zone, moment = ZoneInfo(name), datetime.fromisoformat(now)
    for period in (so_far(moment, zone), week_before(moment, zone)):
        day = period.day.astimezone(zone)
        just_before = (period.day - timedelta(microseconds=1)).astimezone(zone)
        assert (day.date(), just_before.date()) == (
            period.until.astimezone(zone).date(),
            day.date() - timedelta(days=1),
        )
        last = period.hour_begins(23)
        assert last <= period.until < last + timedelta(hours=1)
        assert period.hours.astimezone(zone).minute in (0, 30)
    assert week_before(moment, zone).until < moment - timedelta(days=6, hours=22)


def test_a_week_before_has_the_same_clock_and_weekday() -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 28, 12, 30, tzinfo=zone)
    earlier = week_before(now, zone).until.astimezone(zone)
    assert earlier == datetime(2026, 10, 21, 12, 30, tzinfo=zone)
    # Between the two the clocks went back, so it is 169 hours.
    assert now.astimezone(UTC) - earlier.astimezone(UTC) == timedelta(hours=169)


def test_hours_are_counted_in_their_places() -> None:
    now = datetime(2026, 11, 26, 14, 5, tzinfo=UTC)
    for hours_ago in (0, 1, 23, 24):
        _buy(now.replace(minute=0) - timedelta(hours=hours_ago))
    hours = selectors.turnover("default", so_far(now, UTC)).hours
    assert [place for place, count in enumerate(hours) if count] == [0, 22, 23]
    assert sum(hours) == 3


def test_a_day_of_25_hours_is_summed_whole() -> None:
    zone = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 25, 23, 59, tzinfo=zone)
    _buy(datetime(2026, 10, 25, 0, 0, tzinfo=zone))
    found = selectors.turnover("default", so_far(now, zone))
    assert (found.purchases, sum(found.hours)) == (1, 0)


def test_items_are_ranked_by_purchases_and_never_summed_across_currencies() -> None:
    now = timezone.now()
    period = Period(now - timedelta(hours=1), now - timedelta(hours=23), now)
    for currency in ("EUR", "EUR", "JPY"):
        _buy(now - timedelta(minutes=5), item="tea", quantity=2, currency=currency)
    _buy(now - timedelta(minutes=5), item="lamp", quantity=50)
    _buy(now - timedelta(hours=2), item="yesterday")
    tea, lamp = selectors.top_items("default", period)
    assert (tea.item, tea.purchases, tea.quantity) == ("tea", 3, 6)
    assert tea.amounts == [("EUR", Decimal(40)), ("JPY", Decimal(20))]
    assert (lamp.item, lamp.quantity) == ("lamp", 50)


def test_new_customers_are_neither_staff_nor_programs_nor_closed_nor_old() -> None:
    day = timezone.now() - timedelta(hours=1)
    period = Period(day, day, day + timedelta(hours=2))
    accounts: dict[str, dict[str, Any]] = {
        "old": {"date_joined": day - timedelta(days=1)},
        "new": {},
        "newer": {},
        "program": {"is_client": True},
        "chief": {"is_staff": True},
        # An erased account is one.
        "closed": {"is_active": False},
    }
    for name, fields in accounts.items():
        User.objects.create(username=name, userid=name, **fields)
    found = selectors.new_customers("default", period)
    assert (found.count, found.more) == (2, False)
    assert [each.username for each in found.newest] == ["newer", "new"]
    # An earlier period ends before those of today.
    earlier = day - timedelta(days=2)
    found = selectors.new_customers("default", Period(earlier, earlier, day))
    assert [each.username for each in found.newest] == ["old"]


def _page(client: Client, path: str = "/dashboard/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_shop_says_how_to_begin(staff: Client) -> None:
    page = _page(staff)
    assert "No purchases yet" in page
    for way in ("import_purchases", 'href="/"', 'href="/documentation'):
        assert way in page
    assert 'class="chart"' not in _page(staff, "/dashboard/figures/")


def test_a_day_without_purchases_names_the_last_one(staff: Client) -> None:
    _buy(datetime(1998, 6, 30, 12, 0, tzinfo=UTC))
    page = _page(staff)
    assert "The newest purchase is of" in page
    assert 'datetime="1998-06-30T12:00:00.000000Z"' in page


def test_figures_are_as_of_a_moment_and_shown_with_those_before(staff: Client) -> None:
    now = timezone.now()
    _buy(now, price="1195.30")
    _buy(week_before(now, UTC).until - timedelta(seconds=1), price="1000.00")
    page = " ".join(_page(staff).split())
    assert re.search(r"As of <time", page)
    # At midnight the purchases would be of the days before.
    if so_far(now, UTC).day < now - timedelta(seconds=30):
        assert re.search(r'value="1195.30".{0,300}\+20 %.{0,200}value="1000.00"', page)


CHANGES = [
    (120, 100, "+20 %", "good"),
    (80, 100, "\u221220 %", "bad"),
    (304, 305, "±0 %", ""),
    (5, 0, "", ""),
    (0, 5, "\u2212100 %", "bad"),
]


@pytest.mark.parametrize(("now", "before", "change", "kind"), CHANGES)
def test_changes_have_a_sign_and_no_colour_alone(
    now: int, before: int, change: str, kind: str
) -> None:
    compared = Compared("", now, before)
    assert (compared.change, compared.kind, bool(compared.icon)) == (change, kind, bool(kind))


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/figures/"])
def test_many_purchases_cost_as_many_queries_as_two(staff: Client, path: str) -> None:
    def queries(number: int) -> int:
        now = timezone.now()
        for place in range(number):
            _buy(now, item=f"item {place}", currency=("EUR", "USD", "JPY", "CHF")[place % 4])
        remembered.forget()
        cache.clear()
        with CaptureQueriesContext(connection) as captured:
            staff.get(path)
        return len(captured)

    staff.get(path)
    assert queries(2) == queries(60)


def _readings(monkeypatch) -> list[Any]:
    """Return a list that grows with each reading of the figures."""
    read = []
    real = figures._read

    def counted(*given):
        read.append(given)
        return real(*given)

    monkeypatch.setattr(figures, "_read", counted)
    return read


def test_many_readers_cost_one_reading(staff: Client, monkeypatch) -> None:
    read = _readings(monkeypatch)
    for _ in range(20):
        _page(staff, "/dashboard/figures/")
    # Another process shares them through Valkey.
    remembered.forget()
    _page(staff, "/dashboard/figures/")
    assert len(read) == 1


def test_zones_with_the_same_clock_share_their_figures(monkeypatch) -> None:
    read = _readings(monkeypatch)
    for zone in ("Europe/Berlin", "Europe/Paris", "Asia/Kathmandu"):
        figures_for(ZoneInfo(zone), "default")
    assert len(read) == 2


def test_figures_that_take_too_long_are_left_out_and_the_page_says_so(
    staff: Client, monkeypatch
) -> None:
    _buy(timezone.now())
    monkeypatch.setattr(selectors, "DEADLINE_SECONDS", 0.05)
    slow = """SELECT 1 AS period, '' AS key, 'EUR' AS currency, 1 AS purchases, 1 AS quantity,
        1 AS revenue FROM pg_sleep(5)"""
    read: list[Any] = []

    def facts(*args: Any, key: str = "") -> Facts:
        read.append(args)
        return Facts(f"({slow}) AS fact", {})

    monkeypatch.setattr(selectors, "facts", facts)
    page = _page(staff)
    assert "too many purchases to add them up" in page
    assert "too many purchases to count them by item" in page
    # What did not fit is not tried again by the next reader.
    assert len(read) == 3
    assert "too many purchases" in _page(staff)
    assert len(read) == 3


def test_an_operator_reads_figures_but_no_purchases() -> None:
    user = User.objects.create(username="op", userid="op")
    user.give_roles(["operator"])
    user.save()
    client = Client()
    client.force_login(user)
    _buy(timezone.now(), item="a secret present")
    page = _page(client)
    assert 'id="feed"' not in page
    assert "/purchases/?item" not in page
