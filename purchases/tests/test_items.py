"""Items whose characters make them look like other items."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Token, User

pytestmark = pytest.mark.django_db

OVERRIDES = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
BULK = "/api/v1/purchases/bulk/"


@pytest.fixture
def client(db: Any) -> Client:
    alice = User.objects.create_user("alice", userid="100")
    client = Client(headers={"authorization": f"Token {Token.objects.create(user=alice)[1]}"})
    client.force_login(alice)
    return client


@pytest.mark.parametrize("override", OVERRIDES)
def test_an_item_overrides_no_direction(client: Client, override: str) -> None:
    purchase = {"item": f"a{override}gnp.exe", "price": "1"}
    answer = client.post("/api/v1/purchases/", purchase, content_type="application/json")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["code"], error["attr"]) == ("invalid", "item")


def test_a_line_that_overrides_a_direction_is_rejected_alone(client: Client) -> None:
    csv = f"item,price\na{OVERRIDES[4]}b,1\nbook,1\n"
    for body, kind in ((csv, "text/csv"), ('[{"item":"\\u202e","price":1}]', "application/json")):
        answer = client.post(BULK, body.encode(), content_type=kind).json()
        assert answer["rejected"] == 1
        (line,) = answer["errors"]
        assert (line["errors"][0]["code"], line["errors"][0]["attr"]) == ("invalid", "item")


def test_text_that_runs_right_to_left_is_kept_apart_on_pages(client: Client) -> None:
    item = "كتاب\u200f 12"
    purchase = {"item": item, "price": "1"}
    answer = client.post("/api/v1/purchases/", purchase, content_type="application/json")
    assert answer.json()["item"] == item
    for path in ("/", "/purchases/"):
        # The cell takes its direction from its own text, and keeps that text apart.
        page = client.get(path).content.decode()
        assert re.search(rf'<td [^>]*dir="auto"[^>]*><a [^>]*><span [^>]*>{item}</span>', page)
