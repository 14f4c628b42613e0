"""The pages of billing: what customers see."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from msgspec import structs

from accounts.models import User
from billing import presence
from billing.tests.conftest import Api, Issue, body_of, buy

pytestmark = pytest.mark.django_db


def page(user: User, path: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(path)


def test_a_shop_that_never_bills_shows_nothing_of_it(
    customer: User, django_assert_max_num_queries: Any
) -> None:
    (purchase,) = buy(customer)
    for path in ("/", f"/purchases/{purchase}/", "/customers/005/"):
        text = page(customer, path).content.decode()
        assert "/billing/" not in text, path
        assert "nvoice" not in text, path


def test_a_customer_sees_what_is_owed_and_each_invoice(
    customer: User, other: User, issue: Issue
) -> None:
    invoice = issue()
    note = issue(body_of(), kind="credit_note", corrects=invoice, due_days=None, reason="broken")
    home = page(customer, "/billing/").content.decode()
    assert invoice.label in home
    assert 'value="26.97"' in home
    shown = page(customer, f"/billing/invoices/{invoice.pk}/").content.decode()
    assert "Joe Doe" in shown
    assert f"sha256:{bytes(invoice.hash).hex()}" in shown
    assert note.label in shown
    credited = page(customer, f"/billing/credit-notes/{note.pk}/").content.decode()
    assert "broken" in credited
    assert note.label in page(customer, "/billing/credit-notes/").content.decode()
    for path in (f"/billing/invoices/{invoice.pk}/", f"/billing/credit-notes/{note.pk}/"):
        assert page(other, path).status_code == 404
    assert invoice.label in page(customer, "/").content.decode()
    assert invoice.label in page(customer, "/customers/005/").content.decode()
    assert page(customer, f"/search/?q={invoice.label}").url == f"/billing/invoices/{invoice.pk}/"
    assert page(other, f"/search/?q={invoice.label}").status_code == 200


def test_more_rows_are_no_more_queries(customer: User, finance: Api, issue: Issue) -> None:
    presence.forget()

    def count() -> list[int]:
        counts = []
        for user, path in ((customer, "/billing/"), (finance.user, "/billing/manage/")):
            client = Client()
            client.force_login(user)
            client.get(path)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            counts.append(len(queries))
        return counts

    issue()
    one = count()
    for _each in range(5):
        issue()
    assert count() == one


def test_a_long_invoice_is_shown_in_parts(customer: User, issue: Issue) -> None:
    (line,) = body_of().lines
    long = [structs.replace(line, position=position) for position in range(1, 601)]
    invoice = issue(body_of(lines=long))
    path = f"/billing/invoices/{invoice.pk}/"
    first = page(customer, path).content.decode()
    assert "?line=501" in first
    assert first.count("<tr>") < 520
    assert "?line=1" in page(customer, f"{path}?line=501").content.decode()
    for strange in ("0", "x", "²", "99999", "-1", "9999"):
        assert page(customer, f"{path}?line={strange}").status_code == 200
