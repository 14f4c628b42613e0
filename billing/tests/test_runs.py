"""Runs: one invoice for each customer and currency, once, whatever stops the worker."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts.models import User
from billing.invoices.models import Claim, Document, Draft, Series
from billing.paper.files import MAIL
from billing.runs import batches, services
from billing.runs.models import Run
from billing.runs.services import run_step, run_work
from billing.tests.conftest import Api, buy, make
from billing.tests.test_verifying import _broken
from documents.models import Document as File

pytestmark = pytest.mark.django_db


@pytest.fixture
def customers(db: None) -> list[User]:
    made = [make(f"c{number}") for number in range(6)]
    for number, each in enumerate(made[:5]):
        buy(each, f"{number + 1}.00", count=2)
    buy(made[0], "100", currency="JPY")
    buy(made[1], currency="XAU")
    buy(made[2], at=timezone.now() + timedelta(minutes=4))
    return made


def _requested(finance: Api, **asked: Any) -> Any:
    until = {"until": timezone.now().isoformat()}
    response = finance("POST", "runs/", {**until, **asked}, Idempotency_Key="run")
    assert response.status_code == 202, response.content
    return response.json()


def _shown(finance: Api, run: Any) -> Any:
    return finance("GET", f"runs/{run['id']}/").json()


def test_everybody_is_invoiced_once(
    finance: Api, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.core.verifying.ISOLATION", "SELECT 1")
    run = _requested(finance)
    assert (run["status"], run["invoices"], run["failed"]) == ("queued", 0, 0)
    again = finance("POST", "runs/", {"until": run["until"]}, Idempotency_Key="run")
    assert again.json()["id"] == run["id"]
    run_work(UUID(run["id"]))
    shown = _shown(finance, run)
    assert (shown["status"], shown["invoices"], shown["failed"]) == ("done", 6, 1)
    assert shown["failures"] == [
        {
            "username": "c1",
            "userid": "id-c1",
            "currency": "XAU",
            "code": "currency_not_billable",
        }
    ]
    totals = Document.objects.order_by("number").values_list("currency", "total")
    assert [f"{total} {currency}" for currency, total in totals] == [
        "2.00 EUR",
        "100.00 JPY",
        "4.00 EUR",
        "6.00 EUR",
        "8.00 EUR",
        "10.00 EUR",
    ]
    run_work(UUID(run["id"]))
    # What was bought after the end is left for the next run.
    later = finance("POST", "runs/", {"until": "2100-01-01"}).json()
    run_work(UUID(later["id"]))
    assert _shown(finance, later)["invoices"] == 1
    assert finance("GET", "runs/").json()["results"][0]["id"] == later["id"]
    assert Series.objects.get().next_number == 8
    assert _broken() == []


def test_a_worker_that_dies_leaves_nothing_twice(
    finance: Api, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _requested(finance)
    monkeypatch.setattr(batches, "INVOICES", 2)
    assert run_step(UUID(run["id"]), invoices=2)
    issued = Document.objects.count()
    assert 0 < issued < 6

    def dies(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(services, "_advance", dies)
        with pytest.raises(KeyboardInterrupt):
            run_step(UUID(run["id"]), invoices=2)
    assert Document.objects.count() == issued
    run_work(UUID(run["id"]))
    assert _shown(finance, run)["invoices"] == 6
    assert Document.objects.count() == 6
    assert Claim.objects.count() == 11


def test_an_invoice_that_fails_stops_no_other(
    finance: Api, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = batches.issue_documents

    def fails(kind: str, orders: Any) -> Any:
        if any(order.customer_id == customers[3].pk for order in orders):
            raise ValueError("something unforeseen")
        return original(kind, orders)

    monkeypatch.setattr(batches, "issue_documents", fails)
    run = _requested(finance)
    run_work(UUID(run["id"]))
    shown = _shown(finance, run)
    assert (shown["status"], shown["invoices"], shown["failed"]) == ("done", 5, 2)
    assert [(each["userid"], each["code"]) for each in shown["failures"]] == [
        ("id-c1", "currency_not_billable"),
        ("id-c3", "error"),
    ]


def test_mails_are_asked_for_once(
    finance: Api, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in customers[1:3]:
        EmailAddress.objects.create(user=each, email=each.email, verified=True, primary=True)
    run = _requested(finance, send=True)
    for _ in range(2):
        run_work(UUID(run["id"]))
    shown = _shown(finance, run)
    assert (shown["status"], shown["invoices"], shown["failed"]) == ("done", 6, 1)
    assert (shown["sent"], shown["unsent"]) == (2, 4)
    assert File.objects.filter(kind=MAIL).count() == 2
    assert {each["code"] for each in shown["failures"][1:]} == {"email_not_verified"}


def test_drafts_instead(finance: Api, customers: list[User]) -> None:
    # What is valid leads no worker out of the calendar.
    run = _requested(finance, issue=False, send=True, until="9999-12-31")
    assert run["send"] is False
    run_work(UUID(run["id"]))
    assert _shown(finance, run)["invoices"] == Draft.objects.count() == 6
    assert not Document.objects.exists()
    draft = Draft.objects.earliest("pk")
    assert finance("POST", f"invoices/{draft.pk}/issue/").status_code == 200


def test_bad_requests(finance: Api) -> None:
    long = f"2026-05-01T10:00:00.{'0' * 40}Z"
    for until in ("soon", "2026-05-01T10:00:00", 5, long, None):
        body = {} if until is None else {"until": until}
        assert finance("POST", "runs/", body).status_code == 400
    assert finance("GET", "runs/x/").status_code == 404
    assert not Run.objects.exists()
