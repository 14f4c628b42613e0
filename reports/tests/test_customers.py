"""Statements of a customer that staff asks for, by HTTP."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pypdf import PdfReader

from accounts.models import User
from documents.kinds import kind_of
from documents.models import Document
from reports.models import Report
from reports.tests.conftest import buy, make_user
from reports.tests.pdfs import texts
from shop.celery import app

pytestmark = pytest.mark.django_db
MAY = {"since": "2024-05-01", "until": "2024-05-31"}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)


@pytest.fixture
def finance(db: Any) -> User:
    return with_role("finance")


def with_role(role: str) -> User:
    user = make_user(role)
    user.give_roles([role])
    user.save()
    return user


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def ask(user: User, **fields: str) -> Any:
    return as_user(user).post("/reports/customers/005/", MAY | fields, follow=True)


def test_who_may_have_everybodys_asks_for_a_customers_statement(joe: User, finance: User) -> None:
    page = as_user(finance).get("/customers/005/").text
    assert 'action="/reports/customers/005/"' in page
    answer = ask(finance, idempotency_key="k")
    assert answer.redirect_chain == [("/customers/005/", 302)]
    assert "is queued" in answer.text
    ask(finance, idempotency_key="k")
    report = Report.objects.get()
    assert (report.requested_by, report.kind) == (finance, "customer_statement")
    assert report.parameters["customer"] == joe.pk
    assert answer.text.count("queued") >= 2


@pytest.mark.django_db(transaction=True)
def test_its_pages_hold_the_customers_purchases_and_no_address(
    joe: User, ann: User, finance: User, tmp_path: Path
) -> None:
    buy(joe, price="11.11")
    buy(finance, price="77.77")
    ask(finance)
    document = Document.objects.get()
    kind = kind_of(document)
    assert kind.is_allowed(document)
    kind.render(document, tmp_path / "statement.pdf")
    text = " ".join(texts(PdfReader(tmp_path / "statement.pdf")))
    assert "22.22" in text
    assert "77.77" not in text
    assert "joe" in text
    assert "joe@example.com" not in text
    assert "of joe" in kind.words(document).subject
    finance.give_roles([])
    finance.save()
    assert not kind.is_allowed(Document.objects.get())


def test_it_is_not_the_customers_own(joe: User, finance: User) -> None:
    ask(finance)
    report = Report.objects.get()
    assert as_user(joe).get(f"/api/v1/reports/{report.pk}/").status_code == 404
    assert "1 May 2024" not in as_user(joe).get("/customers/005/").text
    finance.give_roles([])
    finance.save()
    assert as_user(finance).get(f"/api/v1/reports/{report.pk}/").status_code == 404


def test_who_may_not_ask_sees_no_form_and_is_refused(joe: User, ann: User) -> None:
    support = with_role("support")
    page = as_user(support).get("/customers/005/").text
    assert "Statements" in page
    assert "/reports/customers/" not in page
    for user in (support, joe, ann):
        assert as_user(user).post("/reports/customers/005/", MAY).status_code == 403
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"since": ""}, {"since": "x"}, {"until": "2024-04-30"}, {"until": "9999-12-31"}]
)
def test_a_bad_period_is_refused(joe: User, finance: User, fields: dict[str, str]) -> None:
    answer = ask(finance, **fields)
    assert "toast error" in answer.text
    for name, value in (MAY | fields).items():
        assert f'name="{name}" value="{value}"' in answer.text or not value, "The days are kept."
    assert not Report.objects.exists()


def test_an_unknown_customer_is_not_found(finance: User) -> None:
    assert as_user(finance).post("/reports/customers/nobody/", MAY).status_code == 404


def test_the_page_shows_the_newest_statements_in_its_timeline(joe: User, finance: User) -> None:
    for month in range(1, 8):
        Report.objects.create(
            kind="statement",
            requested_by=joe,
            since=date(2024, month, 1),
            until=date(2024, month, 28),
        )
    for user in (joe, finance):
        text = as_user(user).get("/customers/005/").text
        assert text.count("Statement asked for") == 5
        assert "28 Feb 2024" not in text
        assert "28 Jul 2024" in text


def test_the_api_asks_for_a_customers_statement_too(joe: User, ann: User, finance: User) -> None:
    def asked(user: User, **fields: str) -> Any:
        body = {"kind": "customer_statement"} | MAY | fields
        return as_user(user).post("/api/v1/reports/", body, content_type="application/json")

    answer = asked(finance, customer="005")
    assert (answer.status_code, answer.json()["kind"]) == (202, "customer_statement")
    assert Report.objects.get().parameters["customer"] == joe.pk
    assert asked(finance, customer="nobody").status_code == 404
    # Who may not ask learns nothing of who is a customer.
    assert {asked(ann, customer=each).status_code for each in ("005", "nobody")} == {403}
    for fields in ({}, {"kind": "sales", "customer": "005"}, {"customer": ""}):
        refused = asked(finance, **fields)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["attr"] == "customer"
    assert Report.objects.count() == 1
