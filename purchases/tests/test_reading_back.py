"""A client program reads back its own recorded purchases, for any customer, and no others."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Token, User
from events.models import Outbox
from events.tests.log import number
from purchases import exports
from purchases.models import Purchase

pytestmark = pytest.mark.django_db

BEGIN = datetime(2024, 5, 31, tzinfo=UTC)


class Ledger:
    """Two tills, and two customers who each bought directly and at both tills.

    The item names the recorder, the customer, and a number.
    """

    def __init__(self) -> None:
        self.users = {
            name: User.objects.create_user(name, userid=name, is_client=name.startswith("till"))
            for name in ("till", "till2", "joe", "ann")
        }
        pairs = [(by, who) for who in ("joe", "ann") for by in ("till", "till2", who)]
        # A client program may record a purchase for a till, and a till one for itself.
        pairs += [("till2", "till"), ("till", "till")]
        self.made: dict[str, Purchase] = {}
        for place in range(24):
            by, who = pairs[place % len(pairs)]
            purchase = Purchase.objects.create(
                customer=self.users[who],
                recorded_by=self.users[by],
                item=f"{by}-{who}-{place}",
                price=Decimal(place),
                currency="EUR",
                timestamp=BEGIN + timedelta(minutes=place * 7 % 24),
                dedupe_key=uuid.uuid4(),
            )
            self.made[purchase.item] = purchase

    def of(self, name: str) -> Client:
        _, token = Token.objects.create(self.users[name])
        return Client(headers={"Authorization": f"Token {token}"})

    def tills(self) -> list[str]:
        """Return the items that the till may read, newest first."""
        names = [name for name in self.made if name.startswith("till-") or "-till-" in name]
        return sorted(names, key=lambda name: self.made[name].timestamp, reverse=True)


@pytest.fixture
def ledger(db: Any) -> Ledger:
    return Ledger()


def _pages(client: Client, url: str) -> list[str]:
    found = []
    link: str | None = url
    while link is not None:
        page = client.get(link).json()
        found += [row["item"] for row in page["results"]]
        link = page["next"]
    return found


@pytest.mark.parametrize("size", [1, 3, 50])
def test_lists_hold_purchases_recorded_and_bought_by_the_till(ledger: Ledger, size: int) -> None:
    till = ledger.of("till")
    assert _pages(till, f"/api/v1/purchases/?page_size={size}") == ledger.tills()
    last = till.get(f"/api/v1/purchases/?page_size={size}&cursor=last").json()
    assert [row["item"] for row in last["results"]] == ledger.tills()[-size:]


def test_filters_narrow_the_lists_of_the_till(ledger: Ledger) -> None:
    till = ledger.of("till")
    of_joe = [name for name in ledger.tills() if "-joe-" in name]
    assert _pages(till, "/api/v1/purchases/?username=joe&page_size=2") == of_joe
    assert _pages(till, "/api/v1/purchases/?username=till") == [
        name for name in ledger.tills() if "-till-" in name
    ]
    cheap = [name for name in ledger.tills() if 4 <= int(name.rpartition("-")[2]) <= 15]
    assert _pages(till, "/api/v1/purchases/?min_price=4&max_price=15&page_size=3") == cheap
    since = "/api/v1/purchases/?since=2024-05-31T00:10:00Z"
    assert _pages(till, since) == [
        name for name in ledger.tills() if ledger.made[name].timestamp.minute >= 10
    ]
    wrong = till.get("/api/v1/purchases/?min_price=x").json()
    assert [error["attr"] for error in wrong["errors"]] == ["min_price"]


@pytest.mark.parametrize("at_once", [1000, 2])
def test_exports_hold_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", at_once)
    till = ledger.of("till")

    def text(url: str) -> str:
        answer: Any = till.get(url)
        return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()

    rows = csv.DictReader(io.StringIO(text("/api/v1/purchases/export.csv")))
    assert [row["item"] for row in rows] == ledger.tills()
    lines = text("/api/v1/purchases/export.jsonl?min_price=4").splitlines()
    assert [json.loads(line)["item"] for line in lines] == [
        name for name in ledger.tills() if ledger.made[name].price >= 4
    ]


def test_one_purchase_and_the_original_routes(ledger: Ledger) -> None:
    till = ledger.of("till")
    for name, purchase in ledger.made.items():
        expected = 200 if name in ledger.tills() else 404
        assert till.get(f"/api/v1/purchases/{purchase.pk}/").status_code == expected, name
    User.objects.create_user("stranger")
    for route in ("getAllUserBuys", "buyList"):
        bought = till.get(f"/{route}/joe").json()["purchases"]
        prices = [Decimal(str(each["price"])) for each in bought]
        oldest_first = [name for name in reversed(ledger.tills()) if "-joe-" in name]
        assert prices == [ledger.made[name].price for name in oldest_first]
        # The till has recorded nothing for the first customer, and the second one does not exist.
        nothing = till.get(f"/{route}/stranger")
        assert nothing.status_code == 404
        assert nothing.content == till.get(f"/{route}/nobody").content


def test_customers_see_what_tills_recorded_for_them_and_tills_not_each_others(
    ledger: Ledger,
) -> None:
    assert {name.split("-")[1] for name in _pages(ledger.of("joe"), "/api/v1/purchases/")} == {
        "joe"
    }
    assert len(_pages(ledger.of("joe"), "/api/v1/purchases/")) == 9
    seen = set(_pages(ledger.of("till2"), "/api/v1/purchases/"))
    assert seen == {name for name in ledger.made if name.startswith("till2-")}


def test_a_till_that_records_for_nobody_any_more_sees_what_it_bought(ledger: Ledger) -> None:
    User.objects.filter(username="till").update(is_client=False)
    seen = _pages(ledger.of("till"), "/api/v1/purchases/")
    assert {name.split("-")[1] for name in seen} == {"till"}


def test_a_tills_page_is_read_from_two_indexes_in_order(ledger: Ledger) -> None:
    """PostgreSQL sorts only the page itself, however many purchases the till has recorded."""
    till = ledger.users["till"].pk
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM purchases_purchase WHERE recorded_by_id = %s"
            " AND NOT (recorded_by_id = customer_id) ORDER BY timestamp DESC, id DESC LIMIT 51",
            [till],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "purchases_by_recorder" in plan
    assert "Sort" not in plan


def test_events_show_the_till_its_recorded_purchases(ledger: Ledger) -> None:
    buys = [("till", "joe"), ("joe", "joe"), ("till2", "joe"), ("till", "ann"), ("till", "till")]
    buys += [("till2", "till")]
    clients = {name: ledger.of(name) for name in ledger.users}
    for by, who in buys:
        bought = {"username": who, "userid": who, "item": f"{by} for {who}", "price": "1"}
        answer = clients[by].post("/api/v1/purchases/", bought, content_type="application/json")
        assert answer.status_code == 201
        number()

    def seen(name: str, limit: int = 500) -> list[str]:
        found: list[str] = []
        after = 0
        while True:
            url = f"/api/v1/events/?after={after}&limit={limit}"
            page = clients[name].get(url).json()
            if not page["events"]:
                return found
            found += [event["purchase"]["item"] for event in page["events"]]
            after = page["position"]

    expected = ["till for joe", "till for ann", "till for till", "till2 for till"]
    assert seen("till") == seen("till", limit=1) == expected
    assert seen("till2") == ["till2 for joe", "till2 for till"]
    assert seen("joe") == ["till for joe", "joe for joe", "till2 for joe"]
    User.objects.filter(username="till").update(is_client=False)
    assert seen("till") == ["till for till", "till2 for till"]


def test_pages_show_the_till_whom_it_recorded_for(ledger: Ledger) -> None:
    # The shop's first page shows what is in the outbox, too.
    Outbox.objects.bulk_create(
        Outbox(
            key=purchase.pk,
            customer_id=purchase.customer_id,
            recorder_id=purchase.recorded_by_id
            if purchase.recorded_by_id != purchase.customer_id
            else None,
        )
        for purchase in ledger.made.values()
    )
    browser = Client()
    browser.force_login(ledger.users["till"])
    for path in ("/", "/purchases/"):
        page = browser.get(path).text
        assert '<th scope="col">Customer</th>' in page
        wrong = [n for n in ledger.made if (n in page) != (n in ledger.tills())]
        assert wrong == [], path
    browser.force_login(ledger.users["joe"])
    for path in ("/", "/purchases/"):
        assert '<th scope="col">Customer</th>' not in browser.get(path).text
