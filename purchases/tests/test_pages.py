"""The pages of purchases: the shop with its form, the list, one purchase, and the live view."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from events.models import Event
from purchases import totals
from purchases.models import Purchase
from purchases.typed import typed_filters, typed_purchase

pytestmark = pytest.mark.django_db
MAY = datetime(2024, 5, 31, 15, 54, 32, tzinfo=UTC)


class Pages:
    """A browser without JavaScript, signed in."""

    def __init__(self, username: str, **fields: object) -> None:
        self.user = User.objects.create(username=username, userid=f"id-{username}", **fields)
        self.client = Client()
        self.client.force_login(self.user)

    def get(self, path: str, status: int = 200) -> str:
        response = self.client.get(path)
        assert response.status_code == status, response.content
        return response.content.decode()

    def post(self, status: int, part: bool = False, **fields: str) -> str:
        headers = {"X-Part": "buy"} if part else {}
        response = self.client.post("/", fields, headers=headers)
        assert response.status_code == status, response.content
        return response.content.decode()


@pytest.fixture
def joe() -> Pages:
    return Pages("joe")


@pytest.fixture
def ann() -> Pages:
    return Pages("ann")


@pytest.fixture
def staff() -> Pages:
    return Pages("staff", is_staff=True)


@pytest.fixture
def till() -> Pages:
    return Pages("till", is_client=True)


def buy(who: Pages, count: int = 1, *, by: Pages | None = None, **fields: object) -> list[Purchase]:
    """Add purchases, each with its event, as the relay does."""
    last = Event.objects.order_by("-position").values_list("position", flat=True).first() or 0
    values = {"item": "book", "price": Decimal("12.50"), "currency": "EUR", "timestamp": MAY}
    values |= fields
    recorder = by or who
    made = [
        Purchase.objects.create(
            customer=who.user, recorded_by=recorder.user, dedupe_key=uuid.uuid4(), **values
        )
        for _ in range(count)
    ]
    for place, purchase in enumerate(made, last + 1):
        Event.objects.create(
            position=place,
            key=purchase.pk,
            type=1,
            customer=who.user,
            recorder_id=None if recorder is who else recorder.user.pk,
            at=purchase.received_at or timezone.now(),
        )
    return made


def ids(page: str) -> list[str]:
    shown = page.partition("<template")[0]
    return re.findall(r'<tr data-id="([^"]+)"', shown)


@pytest.mark.parametrize("path", ["/", "/purchases/", "/purchases/?since=2024-05-01", "/live/"])
def test_a_page_asks_as_often_for_500_purchases_as_for_2(staff: Pages, joe: Pages, path: str):
    reader = staff if path == "/live/" else joe
    buy(joe, 2)
    reader.get(path)
    with CaptureQueriesContext(connection) as few:
        reader.get(path)
    buy(joe, 498)
    with CaptureQueriesContext(connection) as many:
        reader.get(path)
    assert len(few) == len(many)


def test_a_form_that_is_sent_empties_and_takes_a_new_key(joe: Pages):
    page = joe.post(
        200, part=True, item="lamp", price="59", quantity="2", currency="usd", idempotency_key="a"
    )
    assert "118" in page
    assert str(Purchase.objects.get().pk) in page
    assert 'value="lamp"' not in page
    assert 'value="a"' not in page
    assert re.search(r"<option selected>USD", page)
    page = joe.post(
        200, part=True, item="lamp", price="59", quantity="2", currency="usd", idempotency_key="a"
    )
    assert "already" in page
    assert Purchase.objects.count() == 1


def test_what_is_wrong_stands_at_its_field_in_words(joe: Pages):
    page = joe.post(400, item="lamp", quantity="0", price="x", timestamp="yesterday")
    assert 'value="lamp"' in page
    for name in ("price", "timestamp"):
        assert f'href="#{name}"' in page
        assert f'id="{name}-error"' in page
        assert re.search(rf'id="{name}"[^>]*aria-describedby="[^"]*{name}-error', page, re.DOTALL)
    page = joe.post(400, item="lamp")
    assert "Enter the price" in page
    assert "This field is required" not in page
    assert not Purchase.objects.exists()


def test_a_time_is_typed_in_the_readers_zone():
    with timezone.override("Europe/Budapest"):
        assert typed_purchase({"timestamp": "31.5.2024 17:54"})["timestamp"].startswith(
            "2024-05-31T15:54"
        )


def test_an_ended_session_keeps_what_was_typed(joe: Pages):
    joe.client.logout()
    page = joe.post(403, item="lamp & shade", price="59")
    link = re.search(r'id="sign-in-again" href="([^"]+)"', page)
    assert link is not None
    back = parse_qs(urlsplit(link[1].replace("&amp;", "&")).query)["next"][0]
    joe.client.force_login(joe.user)
    page = joe.get(back)
    assert 'value="lamp &amp; shade"' in page
    assert 'value="59"' in page


def test_the_shop_shows_what_was_spent_by_currency(joe: Pages, ann: Pages):
    now = timezone.now()
    buy(joe, 2, timestamp=now)
    buy(joe, currency="JPY", price=Decimal(1000), timestamp=now)
    buy(joe, timestamp=now - timedelta(days=800), price=Decimal(777))
    buy(ann, timestamp=now, price=Decimal(888))
    page = joe.get("/")
    assert 'value="25.00"' in page
    assert 'value="1000.00"' in page
    figures = page.partition('class="card shop-buy"')[0]
    assert "777" not in figures
    assert "888" not in page


def test_a_sum_of_too_many_says_more_than(joe: Pages, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(totals, "BOUND", 3)
    buy(joe, 3)
    assert "More than" not in joe.get("/purchases/")
    buy(joe)
    page = joe.get("/purchases/")
    assert "More than" in page
    assert "Sum of the newest" in page
    assert 'value="50.00"' in page


def test_the_live_view_is_in_the_order_of_the_feed(staff: Pages, joe: Pages):
    newer, older = buy(joe, timestamp=MAY), buy(joe, timestamp=MAY - timedelta(days=900))
    expected = [str(older[0].pk), str(newer[0].pk)]
    assert ids(staff.get("/live/")) == expected
    assert ids(joe.get("/")) == expected
    assert 'data-position="2"' in staff.get("/live/")


def test_one_purchase_is_for_those_who_may_see_it(
    joe: Pages, ann: Pages, staff: Pages, till: Pages
):
    own, recorded = buy(joe)[0], buy(joe, by=till)[0]
    path = f"/purchases/{own.pk}/"
    for reader, status in ((joe, 200), (staff, 200), (ann, 404), (till, 404)):
        reader.get(path, status)
    path = f"/purchases/{recorded.pk}/"
    for reader, status in ((joe, 200), (staff, 200), (ann, 404), (till, 200)):
        reader.get(path, status)
    assert ">till<" in staff.get(path)
    assert ">till<" not in joe.get(path)
    assert "The shop" in joe.get(path)
    joe.get(f"/purchases/{uuid.uuid4()}/", 404)


def test_every_link_of_a_row_leads_somewhere(joe: Pages, staff: Pages, till: Pages):
    purchase = buy(joe, by=till)[0]
    for reader, count in ((joe, 2), (staff, 3), (till, 3)):
        row = reader.get("/purchases/").partition("<tbody>")[2].partition("</tr>")[0]
        links = re.findall(r'href="([^"]+)"', row)
        assert len(links) == count
        for link in links:
            assert "book" in reader.get(link.replace("&amp;", "&"))
        assert f"/purchases/{purchase.pk}/" in links


def test_pages_by_price_have_each_purchase_once(joe: Pages):
    for price in ("3", "1", "2"):
        buy(joe, 40, price=Decimal(price))
    for order, first in (("cheapest", "1.00"), ("dearest", "3.00")):
        seen: list[str] = []
        path = f"/purchases/?sort={order}"
        page = joe.get(path)
        assert f'value="{first}"' in page.partition("<tbody>")[2].partition("</tr>")[0]
        while True:
            seen += ids(page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            if following is None:
                break
            page = joe.get("/purchases/" + following[1].replace("&amp;", "&"))
        assert len(seen) == len(set(seen)) == 120
        newest = ids(joe.get(path + "&cursor=last"))
        assert newest == seen[-50:]


def test_days_of_filters_are_those_of_the_readers_zone(joe: Pages):
    late = buy(joe, timestamp=datetime(2024, 5, 31, 23, 30, tzinfo=UTC))[0]
    with timezone.override("Europe/Budapest"):
        query, _ = typed_filters(QueryDict("since=2024-06-01&until=2024-06-01"))
    assert query["since"] == "2024-05-31T22:00:00.000000Z"
    assert query["until"] == "2024-06-01T21:59:59.999999Z"
    assert ids(joe.get(f"/purchases/?since={query['since']}&until={query['until']}")) == [
        str(late.pk)
    ]


def test_a_bad_filter_says_only_what_is_wrong(joe: Pages):
    buy(joe)
    page = joe.get("/purchases/?since=foo&item=book", 400)
    assert 'id="since-error"' in page
    assert "No purchases" not in page
    assert "export.csv" not in page


def test_exports_and_chips_say_what_is_shown(staff: Pages, joe: Pages):
    buy(joe)
    page = staff.get("/purchases/?username=id-joe&min_price=1,50&item=book")
    assert len(ids(page)) == 1
    assert "export.xlsx?min_price=1.50&amp;item=book&amp;username=joe" in page
    assert "Customer: id-joe" in page
    assert 'href="?min_price=1%2C50&amp;item=book"' in page


def test_live_rows_are_copies_of_the_servers_rows(staff: Pages, joe: Pages):
    buy(joe)
    page = staff.get("/live/")
    rows, _, template = page.partition("<template")
    parts = re.findall(r'data-part="([^"]+)"', rows)
    assert parts == re.findall(r'data-part="([^"]+)"', template)
    assert "detail" in parts
