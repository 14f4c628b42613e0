"""The search, by HTTP: who finds what, and hostile texts."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import quotas
from accounts.models import User
from purchases.models import Purchase
from shop.core import search

pytestmark = pytest.mark.django_db

KEY = uuid.UUID("0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10")
JSON = {"Accept": "application/json"}
Finder = Callable[..., list[str]]


def signed_in(username: str, **fields: Any) -> Client:
    roles = fields.pop("roles", [])
    user = User(username=username, userid=f"id-{username}", **fields)
    user.give_roles(roles)
    user.save()
    client = Client()
    client.force_login(user)
    return client


def bought(username: str, id: uuid.UUID = KEY, by: str = "") -> None:
    customer = User.objects.get(username=username)
    Purchase.objects.create(
        id=id,
        customer=customer,
        recorded_by=User.objects.get(username=by) if by else customer,
        item="book",
        price=Decimal(5),
        currency="EUR",
        timestamp=datetime(2024, 5, 31, tzinfo=UTC),
        dedupe_key=uuid.uuid4(),
    )


def found(client: Client, q: str) -> list[str]:
    """Return the addresses of what the search finds."""
    answer = client.get("/search/", {"q": q}, headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["complete"]
    return [hit["url"] for hit in answer.json()["hits"]]


@pytest.fixture
def joe() -> Client:
    return signed_in("joe", email="joe@example.com")


@pytest.fixture
def staff() -> Client:
    return signed_in("boss", is_staff=True, is_superuser=True)


def test_a_hit_says_what_it_is_and_where(joe: Client) -> None:
    bought("joe")
    answer = joe.get("/search/", {"q": str(KEY)}, headers=JSON)
    [hit] = answer.json()["hits"]
    assert (hit["kind"], hit["label"], hit["url"]) == ("Purchase", str(KEY), f"/purchases/{KEY}/")
    assert "book" in hit["detail"]
    assert "5.00" in hit["detail"]
    assert "Accept" in answer["Vary"]


def test_ids_are_found_by_those_who_may_see_the_purchase(joe: Client, staff: Client) -> None:
    ann, till = signed_in("ann"), signed_in("till", is_client=True)
    other = signed_in("other", is_client=True)
    bought("joe", by="till")
    for text in (str(KEY), str(KEY).upper(), KEY.hex, KEY.hex[:14]):
        for client in (joe, staff, till):
            assert found(client, text) == [f"/purchases/{KEY}/"]
        for client in (ann, other):
            assert found(client, text) == []
    # Few digits say little, so only an index that holds nothing else is asked.
    assert found(staff, KEY.hex[:8]) == [f"/purchases/{KEY}/"]
    assert found(joe, KEY.hex[:11]) == []
    assert found(staff, KEY.hex[:7]) == []
    assert found(staff, KEY.hex + "0") == []


@pytest.mark.parametrize("q", ["joe", "JO", "id-joe", "ID-J", "joe@ex"])
def test_a_customer_is_found_by_staff_and_by_itself_only(
    joe: Client, staff: Client, q: str
) -> None:
    ann = signed_in("ann")
    analyst = signed_in("analyst", roles=["analyst"])
    assert found(staff, q) == ["/customers/id-joe/"]
    assert found(joe, q) == ([] if "@" in q else ["/customers/id-joe/"])
    assert found(analyst, q) == ([] if "@" in q else ["/customers/id-joe/"])
    assert found(ann, q) == []
    assert "joe@example.com" not in analyst.get("/search/", {"q": "joe"}, headers=JSON).text


def test_pages_are_those_of_the_callers_navigation(joe: Client, staff: Client) -> None:
    assert found(joe, "purch") == ["/purchases/"]
    assert found(joe, "Live") == []
    assert found(staff, "Live") == ["/live/"]
    assert found(staff, "ive") == []


def test_an_id_leads_straight_to_its_page(joe: Client, staff: Client) -> None:
    bought("joe")
    assert staff.get("/search/", {"q": str(KEY)})["Location"] == f"/purchases/{KEY}/"
    assert staff.get("/search/", {"q": "id-joe"})["Location"] == "/customers/id-joe/"
    assert staff.get("/search/", {"q": "joe@example.com"})["Location"] == "/customers/id-joe/"
    page = staff.get("/search/", {"q": "joe"})
    assert page.status_code == 200
    assert 'href="/customers/id-joe/"' in page.text


@pytest.mark.parametrize(
    "q",
    [
        *("%", "_", "%%", "j_e", "'", '"', "\\", "';--", "<script>", "\u202e", "\ufffd", "\ufffe"),
        *("\U0010ffff", "0" * 32, "f" * 32, "-" * 32, "0x" + "0" * 30, "é" * 150, "a" * 200),
    ],
)
@pytest.mark.parametrize("headers", [{}, JSON])
def test_a_strange_text_finds_nothing(staff: Client, joe: Client, q: str, headers: Any) -> None:
    answer = staff.get("/search/", {"q": q}, headers=headers)
    assert answer.status_code == 200
    assert "/customers/id-joe/" not in answer.text
    assert "<script>" not in answer.text.partition("<main")[2].replace("<script type", "")


@pytest.mark.parametrize("q", ["%00", "a%00b", "a" * 201, "a" * 10_000, "%01", "%7F"])
@pytest.mark.parametrize("headers", [{}, JSON])
def test_a_text_that_nothing_can_have_is_refused(staff: Client, q: str, headers: Any) -> None:
    assert staff.get(f"/search/?q={q}", headers=headers).status_code == 400


def test_nothing_is_asked_for_nothing(staff: Client) -> None:
    for q in ("", "  "):
        assert found(staff, q) == []
        assert staff.get("/search/", {"q": q}).status_code == 200


def test_a_search_takes_the_same_queries_for_two_hits_and_for_many(staff: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get("/search/", {"q": "cus"}, headers=JSON)
        return len(captured)

    signed_in("cus1")
    # The first request of a session notes its browser.
    count()
    few = count()
    for number in range(2, 60):
        User.objects.create(username=f"cus{number}", userid=f"cus{number}")
    assert count() == few
    assert len(found(staff, "cus")) <= 11


def test_an_account_searches_so_often_and_no_more(
    joe: Client, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "SEARCHES_A_MINUTE", 5)
    answers = [joe.get("/search/?q=a", headers=JSON) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1].json()["errors"][0]["code"] == "throttled"
    assert joe.get("/search/?q=a").status_code == 429
    assert staff.get("/search/?q=a").status_code == 200


def test_a_search_that_takes_too_long_ends_and_says_so(
    joe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(caller: Any, text: str, limit: int) -> list[search.Hit]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")
        return []

    monkeypatch.setattr(search, "declared", lambda kind: [sleep])
    monkeypatch.setattr(search, "DEADLINE_MILLISECONDS", 50)
    answer = joe.get("/search/?q=purch", headers=JSON).json()
    assert not answer["complete"]
    # What needs no database is found all the same.
    assert [hit["url"] for hit in answer["hits"]] == ["/purchases/"]
    assert "took too long" in joe.get("/search/?q=purch").text


def test_another_failure_is_no_empty_answer(joe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(caller: Any, text: str, limit: int) -> list[search.Hit]:
        raise OperationalError from psycopg.OperationalError("gone")

    monkeypatch.setattr(search, "declared", lambda kind: [fail])
    client = joe
    client.raise_request_exception = False
    assert client.get("/search/?q=a", headers=JSON).status_code in (500, 503)
