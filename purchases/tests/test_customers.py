"""The pages of customers, by HTTP."""

import csv
import io
import re
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import quote_plus
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from accounts.models import User
from audit.models import Waiting
from purchases import customers
from purchases.models import Purchase

pytestmark = pytest.mark.django_db

WHEN = datetime(2024, 5, 31, 12, tzinfo=UTC)
NAMES = ["نورة بنت عبد الله", "山田太郎", "שרה", "a" * 150, "👩‍🚀", "O'Brien & <b>Söhne</b>", "joe"]


@pytest.fixture
def staff() -> Client:
    return signed_in(make("staff", is_staff=True, is_superuser=True))


def make(username: str, **fields: Any) -> User:
    return User.objects.create(
        **{"username": username, "userid": f"id-{username}"[:64], "email": ""} | fields
    )


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def bought(
    customer: User, count: int = 1, *, price: str = "2.50", currency: str = "EUR", **fields: Any
) -> None:
    first = fields.pop("first", WHEN)
    Purchase.objects.bulk_create(
        Purchase(
            customer=customer,
            recorded_by=fields.get("recorded_by", customer),
            item="book",
            price=Decimal(price),
            currency=currency,
            timestamp=first + timedelta(hours=number),
            dedupe_key=uuid.uuid4(),
        )
        for number in range(count)
    )


def shown(answer: Any) -> list[str]:
    """Return the userids that a list links to, in its order."""
    return re.findall(r'href="/customers/([^"/]+)/"', answer.text)


def queries_of(ask: Callable[[], Any]) -> int:
    # The first request of a session notes its browser.
    ask()
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code == 200
    return len(captured)


def test_the_list_goes_by_name_forwards_and_backwards(staff: Client) -> None:
    for number in range(120):
        make(f"c{number:03}", userid=f"{number:03}")
    pages: list[list[str]] = []
    path = "/customers/"
    while path:
        answer = staff.get(path)
        pages.append(shown(answer))
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        path = "/customers/" + following[1].replace("&amp;", "&") if following else ""
    assert [len(page) for page in pages] == [50, 50, 21]
    everybody = [f"{number:03}" for number in range(120)] + ["id-staff"]
    assert [userid for page in pages for userid in page] == everybody
    last = staff.get("/customers/?cursor=last")
    assert shown(last) == everybody[-50:]
    before = re.search(r'rel="prev" href="([^"]+)"', last.text)
    assert before is not None
    earlier = staff.get("/customers/" + before[1].replace("&amp;", "&"))
    assert shown(earlier) == everybody[-100:-50]


def test_newest_accounts_come_first_if_asked(staff: Client) -> None:
    for number in range(60):
        make(f"c{number:03}", userid=f"{number:03}")
    answer = staff.get("/customers/?order=newest")
    assert shown(answer) == [f"{number:03}" for number in reversed(range(10, 60))]
    following = re.search(r'rel="next" href="([^"]+)"', answer.text)
    assert following is not None
    rest = shown(staff.get("/customers/" + following[1].replace("&amp;", "&")))
    assert rest == [*(f"{number:03}" for number in reversed(range(10))), "id-staff"]


@pytest.mark.parametrize("q", ["JO", "Joé", "ST", "ab12", "AB1", "mail@ex", "MAIL@EXAMPLE.com"])
def test_a_beginning_finds_name_userid_and_address(staff: Client, q: str) -> None:
    make("Joélle", userid="AB12x", email="mail@example.com")
    make("straße", userid="9", email="other@example.com")
    make("till", is_client=True, userid="ab12y")
    expected = ["9", "id-staff"] if q == "ST" else ["AB12x"]
    assert sorted(shown(staff.get("/customers/", {"q": q}))) == expected


@pytest.mark.parametrize(
    "q", ["%", "_", "%oe", "j_e", "\\", "'", "oe", "joe%", "\u202e", "\U0010ffff"]
)
def test_no_character_is_a_wildcard(staff: Client, q: str) -> None:
    make("joe")
    answer = staff.get("/customers/", {"q": q})
    assert (answer.status_code, shown(answer)) == (200, [])


@pytest.mark.parametrize(
    "query",
    [
        *(
            "q=" + "a" * 151,
            "q=" + "a" * 3000,
            "q=%00",
            "q=a%01",
            "cursor=%00",
            "cursor=" + "A" * 2000,
        ),
        *("cursor=eyJ9", "cursor=WyJuIl0", "cursor=%C3%A9", "cursor=W1tbW1tbW1tb"),
        "cursor=" + customers._packed(["n", "a\0b", 0]).replace("=", ""),
        "cursor=" + customers._packed(["n", "a", 2**63]),
        "cursor=" + customers._packed(["n", "\ud800", 0]),
        "cursor=" + customers._packed(["x", "a", 0]),
        "cursor=" + customers._packed(["n", 7]),
        "order=newest&cursor=" + customers._packed(["n", "a", 0]),
    ],
)
def test_a_bad_value_is_refused(staff: Client, query: str) -> None:
    assert staff.get(f"/customers/?{query}").status_code == 400


def test_addresses_are_for_whoever_may_read_accounts() -> None:
    make("joe", email="joe@example.com")
    analyst = make("analyst")
    analyst.give_roles(["analyst"])
    analyst.save()
    support = make("support")
    support.give_roles(["support"])
    support.save()
    for user, sees in ((analyst, False), (support, True)):
        client = signed_in(user)
        for path in ("/customers/", "/customers/id-joe/"):
            assert ("joe@example.com" in client.get(path).text) is sees
        assert bool(shown(client.get("/customers/?q=joe@"))) is sees


def test_the_list_takes_the_same_queries_for_two_rows_and_for_many(staff: Client) -> None:
    bought(make("a1"), 2)
    few = queries_of(lambda: staff.get("/customers/"))
    found = queries_of(lambda: staff.get("/customers/?q=a"))
    for number in range(2, 70):
        bought(make(f"a{number}"), 3)
    assert queries_of(lambda: staff.get("/customers/")) == few
    assert queries_of(lambda: staff.get("/customers/?q=a")) == found


def test_a_customers_figures_are_by_currency(staff: Client) -> None:
    joe = make("joe")
    bought(joe, 3, price="10.10")
    bought(joe, 2, price="500", currency="JPY")
    bought(make("ann"), 9, price="77")
    text = staff.get("/customers/id-joe/").text
    assert 'value="30.30"' in text
    assert 'value="1000.00"' in text or 'value="1000"' in text
    assert "1030" not in text
    assert "77.00" not in text


def test_a_month_leads_to_its_purchases(staff: Client) -> None:
    joe = make("joe")
    bought(joe, 2, price="5.05")
    bought(joe, price="9.09", first=WHEN + timedelta(days=31))
    bought(make("ann"), price="7.07")
    page = staff.get("/customers/id-joe/").text
    link = re.search(r'href="(/purchases/[^"]*since=2024-05-01[^"]*)"', page)
    assert link is not None
    text = staff.get(unescape(link[1])).text
    assert text.count("data-id") >= 2
    assert "5.05" in text
    assert "9.09" not in text
    assert "7.07" not in text


def test_a_customers_page_takes_the_same_queries_for_two_purchases_and_for_many(
    staff: Client,
) -> None:
    joe = make("joe")
    bought(joe, 2)
    few = queries_of(lambda: staff.get("/customers/id-joe/"))
    bought(joe, 500, first=WHEN + timedelta(days=40))
    assert queries_of(lambda: staff.get("/customers/id-joe/")) == few


def test_figures_of_many_purchases_say_that_they_are_not_all(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "COUNTED_MAX", 10)
    joe = make("joe")
    bought(joe, 9, price="1.00")
    assert "newest 10" not in staff.get("/customers/id-joe/").text
    bought(joe, 5, price="1.00", first=WHEN + timedelta(days=90))
    text = staff.get("/customers/id-joe/").text
    assert "newest 10" in text
    assert 'value="10.00"' in text
    # The first purchase is exact all the same.
    assert "2024-05-31T12:00:00" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_script_is_shown_and_linked(staff: Client, name: str) -> None:
    user = make(name, userid=name[:60])
    bought(user)
    path = reverse("customer", args=[user.userid])
    assert f'href="{escape(path)}"' in staff.get("/customers/").text
    answer = staff.get(path)
    assert answer.status_code == 200
    assert escape(name) in answer.text
    assert f"/purchases/?username={quote_plus(name)}" in answer.text


def test_an_old_userid_with_slashes_has_a_page(staff: Client) -> None:
    make("old", userid="a/b?c#d")
    assert "/customers/a/b%3Fc%23d/" in staff.get("/customers/").text
    assert staff.get("/customers/a/b%3Fc%23d/").status_code == 200


def test_a_customer_sees_itself_and_nobody_else() -> None:
    joe, ann = make("joe", email="joe@example.com"), make("ann")
    bought(joe)
    client = signed_in(joe)
    own = client.get("/customers/id-joe/")
    assert own.status_code == 200
    assert "joe@example.com" in own.text
    assert 'href="/customers/"' not in own.text
    theirs, nothing = client.get(f"/customers/{ann.userid}/"), client.get("/customers/nobody/")
    assert (theirs.status_code, nothing.status_code) == (404, 404)
    assert client.get("/customers/").status_code == 403


def test_a_client_program_has_no_customers() -> None:
    till, joe = make("till", is_client=True), make("joe")
    bought(joe, recorded_by=till)
    client = signed_in(till)
    assert client.get("/customers/id-joe/").status_code == 404
    assert client.get("/customers/").status_code == 403


def test_the_list_is_exported_by_its_filters_with_what_the_caller_may_see(staff: Client) -> None:
    ann = make("ann", userid="0042", email="ann@example.com")
    make("=1+1 <&>", userid="zz-1")
    make("program", is_client=True)
    bought(ann, 120)
    page = staff.get("/customers/?q=0042").text
    links = re.findall(r'href="(/customers/export[^"]+)"', page)
    assert links == ["/customers/export.csv?q=0042", "/customers/export.xlsx?q=0042"]

    def rows(client: Client, path: str) -> list[list[str]]:
        answer = client.get(path)
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Content-Disposition"] == 'attachment; filename="customers.csv"'
        return list(csv.reader(answer.getvalue().decode().splitlines()))

    newest = (WHEN + timedelta(hours=119)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head, row = rows(staff, links[0])
    assert dict(zip(head, row, strict=True)) | {"joined_at": ""} == {
        "username": "ann",
        "userid": "0042",
        "email": "ann@example.com",
        "is_active": "true",
        "joined_at": "",
        "purchases": "120",
        "newest_purchase": newest,
    }
    everybody = rows(staff, "/customers/export.csv")[1:]
    assert [each[0] for each in everybody] == ["'=1+1 <&>", "ann", "staff"]
    assert [each[0] for each in rows(staff, "/customers/export.csv?order=newest")[1:]] == [
        *("'=1+1 <&>", "ann", "staff")
    ]
    # Who may not see addresses gets none, and finds nobody by them.
    analyst = make("analyst")
    analyst.give_roles(["analyst"])
    analyst.save()
    [head] = rows(signed_in(analyst), "/customers/export.csv?q=ann@example.com")
    assert "email" not in head
    assert "purchases" in head
    book = zipfile.ZipFile(io.BytesIO(staff.get("/customers/export.xlsx").getvalue()))
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert ElementTree.fromstring(sheet) is not None
    assert sheet.count("<row>") == 5
    assert "=1+1 &lt;&amp;&gt;" in sheet
    assert b'name="customers 1"' in book.read("xl/workbook.xml")
    # Each export has an entry in the audit; a refused one, and HEAD, have none.
    assert staff.get(f"/customers/export.csv?q={'a' * 151}").status_code == 400
    assert staff.head("/customers/export.csv").status_code == 200
    entries = Waiting.objects.filter(action="customers.exported", object="export:customers")
    assert entries.count() == 5
