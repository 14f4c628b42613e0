"""Pages in awkward time zones: whose day a filter means, and when a typed time was."""

import html
import re
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from purchases.models import Purchase

KATHMANDU = "Asia/Kathmandu"


@pytest.fixture
def reader(client: Client, django_user_model: type[User]) -> Client:
    """A customer in Kathmandu who reads German."""
    user = User.objects.create_user("reader", "reader@example.com", "orchid-lamp-42")
    User.objects.filter(pk=user.pk).update(language="de", time_zone=KATHMANDU)
    client.force_login(user)
    return client


def buy(client: Client, item: str, timestamp: str) -> None:
    body = {"item": item, "price": "1.00", "timestamp": timestamp}
    answer = client.post("/api/v1/purchases/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content


def listed(client: Client, **query: str) -> tuple[int, set[str], str]:
    """Return the status, the items of the page, and its text."""
    answer = client.get("/purchases/", query)
    text = answer.content.decode()
    return answer.status_code, {each for each in "abcd" if f">Ware {each}<" in text}, text


@pytest.mark.django_db(transaction=True)
def test_the_days_of_a_filter_are_the_readers_and_exports_hold_the_same(reader: Client):
    # The 31st of May begins in Kathmandu at 18:15 UTC of the 30th.
    for item, timestamp in (
        ("Ware a", "2024-05-30T18:14:59.999999Z"),
        ("Ware b", "2024-05-30T18:15:00Z"),
        ("Ware c", "2024-05-31T18:14:59.999999Z"),
        ("Ware d", "2024-05-31T18:15:00Z"),
    ):
        buy(reader, item, timestamp)
    for since, until in (
        ("2024-05-31", "2024-05-31"),
        ("31.5.2024", "31. Mai 2024"),
        ("31.5.2024 0:00", "31.05.2024 23:59:59,999999"),
    ):
        status, items, text = listed(reader, since=since, until=until)
        assert (status, items) == (200, {"b", "c"})
        (export,) = re.findall(r'href="(/api/v1/purchases/export\.jsonl\?[^"]*)"', text)[:1]
        body = reader.get(html.unescape(export)).getvalue().decode()
        assert {each for each in "abcd" if f"Ware {each}" in body} == {"b", "c"}
    # Days of the API are those of UTC.
    api = reader.get("/api/v1/purchases/", {"since": "2024-05-31", "until": "2024-05-31"}).json()
    assert {row["item"] for row in api["results"]} == {"Ware c", "Ware d"}
    status, _, text = listed(reader, since="5/6/2024")
    assert status == 400
    assert "2024-06-05" in text
    assert "2024-05-06" in text


@pytest.mark.django_db(transaction=True)
def test_a_form_takes_what_a_reader_types(reader: Client):
    def post(**fields: str) -> Any:
        return reader.post("/", {"item": "Ware a", "quantity": "1", "currency": "EUR", **fields})

    assert post(price="1.195,30 €", timestamp="31.5.2024 15:54 Uhr").status_code == 302
    purchase = Purchase.objects.get()
    assert str(purchase.price) == "1195.30"
    assert purchase.timestamp == datetime.fromisoformat("2024-05-31T10:09:00Z")
    for fields in ({"price": "1.195"}, {"price": "1", "timestamp": "5/6/2024 15:54"}):
        answer = post(**fields)
        assert answer.status_code == 400
        # What was typed is still there.
        assert all(value in html.unescape(answer.content.decode()) for value in fields.values())
    User.objects.update(time_zone="Europe/Berlin")
    for hour in ("27.10.2024 2:30", "31.3.2024 2:30"):
        assert post(price="1", timestamp=hour).status_code == 400
    assert post(price="1", timestamp="27.10.2024 2:30 +02:00").status_code == 302
    newest = Purchase.objects.order_by("-timestamp")[0]
    assert newest.timestamp == datetime.fromisoformat("2024-10-27T00:30:00Z")


def test_a_filter_by_price_leaves_no_currency_out_silently(reader: Client):
    for name in ("min_price", "max_price"):
        for typed, status in (("12", 200), ("12,50", 200), ("12 EUR", 400), ("€ 12,50", 400)):
            answer = reader.get("/purchases/", {name: typed})
            assert answer.status_code == status, (name, typed)
            assert ('aria-invalid="true"' in answer.text) is (status == 400), (name, typed)
            assert typed in html.unescape(answer.text)
