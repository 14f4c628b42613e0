"""The till's pages without a browser."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from purchases.models import Purchase
from till import offline
from till.selectors import SUGGESTIONS, customers_like

pytestmark = pytest.mark.django_db

FORM = {"item": "book", "price": "1.195,30", "quantity": "2", "currency": "EUR"}
HERE = {"origin": "http://testserver"}


@pytest.fixture
def clerk() -> User:
    return User.objects.create_user("clerk", password="x", userid="c-1", is_client=True)


@pytest.fixture
def client(clerk: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(clerk)
    return client


def _token(page: Any) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert found
    return found[1]


def test_the_form_records_once_under_its_key(client: Client) -> None:
    page = client.get("/till/")
    key = re.findall(r'name="idempotency_key" value="([^"]+)"', page.content.decode())[0]
    form = FORM | {
        "csrfmiddlewaretoken": _token(page),
        "idempotency_key": key,
        "username": "joe",
        "userid": "005",
    }
    for text in ("Recorded: ", "already recorded"):
        answer = client.post("/till/", form, headers=HERE, follow=True)
        assert text in answer.content.decode()
    purchase = Purchase.objects.select_related("customer").get()
    assert (str(purchase.price), purchase.customer.username) == ("1195.30", "joe")


def test_a_wrong_field_is_named_and_nothing_typed_is_lost(client: Client) -> None:
    form = FORM | {"csrfmiddlewaretoken": _token(client.get("/till/")), "quantity": "0"}
    answer = client.post("/till/", form, headers=HERE)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert 'href="#quantity"' in text
    assert 'value="1.195,30"' in text
    assert not Purchase.objects.exists()


def test_a_session_that_ended_comes_back_with_what_was_typed(client: Client, clerk: User) -> None:
    form = FORM | {"csrfmiddlewaretoken": _token(client.get("/till/")), "idempotency_key": "k-1"}
    del client.cookies["sessionid"]
    answer = client.post("/till/", form, headers=HERE)
    assert answer.status_code == 403
    (link,) = re.findall(r'class="button" href="([^"]+)"', answer.content.decode())
    back = parse_qs(urlsplit(link.replace("&amp;", "&")).query)["next"][0]
    assert "book" not in back
    client.force_login(clerk)
    text = client.get(back).content.decode()
    for value in ("book", "1.195,30", "k-1"):
        assert f'value="{value}"' in text
    assert 'value="book"' not in client.get(back.replace("kept=", "kept=x")).content.decode()


def test_a_token_renewed_by_a_sign_in_shows_the_form_again(client: Client, clerk: User) -> None:
    form = FORM | {"csrfmiddlewaretoken": "x" * 64}
    client.get("/till/")
    answer = client.post("/till/", form, headers=HERE)
    assert answer.status_code == 403
    assert 'value="book"' in answer.content.decode()
    form["csrfmiddlewaretoken"] = _token(answer)
    assert client.post("/till/", form, headers=HERE).status_code == 302
    # Another site's form is refused, and its fields are shown to nobody.
    evil = client.post(
        "/till/", form | {"item": "evil"}, headers={"origin": "https://evil.example"}
    )
    assert evil.status_code == 403
    assert "evil" not in evil.content.decode()
    assert Purchase.objects.count() == 1


def test_customers_complete_by_name_and_userid_through_indexes(client: Client) -> None:
    User.objects.bulk_create(
        User(username=f"{name}{n}", userid=f"u-{name}-{n:03}")
        for name in ("Jörg", "jo", "x_", "100%")
        for n in range(30)
    )
    User.objects.create(username="john the admin", userid="a-1", is_staff=True)
    found = customers_like("JÖRG1")
    assert len(found) == SUGGESTIONS
    assert all(each["username"].startswith("Jörg1") for each in found)
    assert [each["username"] for each in customers_like("u-jo-007")] == ["jo7"]
    assert all(each["username"].startswith("x_") for each in customers_like("x_"))
    assert customers_like("john") == customers_like(" ") == customers_like("\x00") == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/till/customers/?q=jo")
    assert len(answer.json()["customers"]) == SUGGESTIONS
    reads = [each["sql"] for each in queries if "accounts_user" in each["sql"]][-2:]
    for read in reads:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + read)
            assert "Index" in str(cursor.fetchall())


def test_the_worker_and_the_manifest_are_what_a_browser_takes(client: Client) -> None:
    worker = Client().get("/till/worker.js")
    assert worker["Content-Type"] == "text/javascript"
    assert worker["Cache-Control"] == "no-cache"
    assert offline.version() in worker.content.decode()
    page = client.get("/till/")
    assert page["Till-Version"] == offline.version()
    assert "worker-src 'self'" in page["Content-Security-Policy"]
    manifest = Client().get("/till/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest.json()["icons"]}
    assert Client().get("/till/session/").json()["account"] is None
    assert client.get("/till/session/").json()["account"]["name"] == "clerk"


def test_a_stale_token_is_told_by_its_code(client: Client) -> None:
    answer = client.post(
        "/api/v1/purchases/", {"price": "1"}, content_type="application/json", headers=HERE
    )
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "csrf_failed")
