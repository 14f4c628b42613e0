"""Papers, e-invoices and mails through the API: rendered once, kept, mailed at most once."""

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db.models.functions import Now
from django.test import Client

from accounts.models import User
from audit.models import Waiting
from billing.content import Buyer
from billing.credits.services import credit_note_create
from billing.credits.shares import Asked
from billing.paper import files
from billing.parties.models import Party
from billing.reference import check_path
from billing.tests.conftest import Api, Issue
from documents import compile as short
from documents import queue
from documents.models import Document as File
from documents.storage import store
from documents.upkeep import documents_purge
from shop.celery import app

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(app, "send_task", lambda *arguments, **options: None)
    yield
    for child in short._children.values():
        child._stop()


@pytest.fixture
def known(customer: User) -> User:
    """The customer, with a verified address, who reads German."""
    EmailAddress.objects.create(user=customer, email=customer.email, verified=True, primary=True)
    User.objects.filter(pk=customer.pk).update(language="de")
    customer.refresh_from_db()
    return customer


def work() -> None:
    File.objects.update(next_attempt_at=Now())
    queue.work()


def content(response: Any) -> bytes:
    """Return the body of an answer. The client closes its file after the last byte."""
    whole = getattr(response, "streaming_content", None)
    return b"".join(whole) if whole is not None else bytes(response.content)


def is_pdf(response: Any) -> bool:
    return content(response).startswith(b"%PDF")


def test_a_paper_is_rendered_once_and_kept(
    known: User, mine: Api, finance: Api, other: User, issue: Issue, site_settings: Any
) -> None:
    invoice = issue()
    path = f"invoices/{invoice.pk}/pdf/"
    for _ in range(2):
        response = mine("GET", path)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "not_ready")
    assert File.objects.count() == 1
    work()
    response = mine("GET", path)
    pdf = content(response)
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert f'filename="{invoice.label}.pdf"' in response["Content-Disposition"]
    row = File.objects.get(pk=invoice.pk)
    assert hashlib.sha256(pdf).hexdigest() == row.sha256 == response["ETag"].strip('"')
    assert pdf.startswith(b"%PDF")
    part = mine("GET", path, Range="bytes=0-7")
    assert (part.status_code, content(part)) == (206, pdf[:8])
    assert mine("GET", path, If_None_Match=response["ETag"]).status_code == 304
    assert content(finance("GET", path)) == pdf
    assert Api(other)("GET", path).status_code == 404
    # The file takes none of the account's space, and is kept for years.
    site_settings.reports_megabytes_per_account = site_settings.reports_keep_days = 0
    assert documents_purge() == {"pdfs": 0, "reports": 0}
    assert row.parameters == {"document": str(invoice.pk), "language": "de"}
    # A lost file is rendered again, and is the same, whatever language the account has by now.
    store.delete(row.file)
    User.objects.filter(pk=known.pk).update(language="en")
    assert mine("GET", path).status_code == 409
    work()
    assert content(mine("GET", path)) == pdf
    assert len(mail.outbox) == 0


def test_what_cannot_be_rendered_is_tried_again_when_somebody_asks(
    known: User, mine: Api, issue: Issue, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DOCUMENT_RENDER_ATTEMPTS = 1
    invoice = issue()
    path = f"invoices/{invoice.pk}/pdf/"
    assert mine("GET", path).status_code == 409
    with monkeypatch.context() as patched:
        patched.setattr("billing.paper.kinds.Paper.render", _fails)
        work()
    assert File.objects.get(pk=invoice.pk).status == "failed"
    assert mine("GET", path).status_code == 409
    work()
    assert is_pdf(mine("GET", path))


def _fails(*arguments: Any) -> None:
    raise OSError("no space")


def test_an_e_invoice_in_both_syntaxes_or_what_it_lacks(
    known: User, mine: Api, other: User, finance: Api, issue: Issue
) -> None:
    invoice = issue()
    path = f"invoices/{invoice.pk}/xml/"
    for query, root in (("", b"CrossIndustryInvoice"), ("?syntax=cii", b"CrossIndustryInvoice")):
        response = mine("GET", path + query)
        assert (response.status_code, response["Content-Type"]) == (200, "application/xml")
        assert root in response.content
        assert invoice.label.encode() in response.content
    ubl = mine("GET", f"{path}?syntax=ubl")
    assert b"oasis:names:specification:ubl" in ubl.content
    assert mine("GET", f"{path}?syntax=ubl", If_None_Match=ubl["ETag"]).status_code == 304
    assert mine("GET", f"{path}?syntax=pdf").status_code == 400
    assert Api(other)("GET", path).status_code == 404
    lacking = issue(buyer=Buyer(name="Joe"))
    response = mine("GET", f"invoices/{lacking.pk}/xml/")
    errors = response.json()["errors"]
    assert (response.status_code, errors[0]["code"]) == (409, "not_an_einvoice")
    assert "BT-55 (country of the customer)" in errors[0]["detail"]
    assert errors[1]["attr"] == "BT-55"
    # Its paper is there all the same.
    mine("GET", f"invoices/{lacking.pk}/pdf/")
    work()
    assert is_pdf(mine("GET", f"invoices/{lacking.pk}/pdf/"))


def test_a_long_e_invoice_is_written_by_a_worker(
    known: User, mine: Api, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LINES_AT_ONCE", 0)
    invoice = issue()
    for syntax in ("cii", "ubl"):
        path = f"invoices/{invoice.pk}/xml/?syntax={syntax}"
        assert mine("GET", path).json()["errors"][0]["code"] == "not_ready"
        work()
        work()
        response = mine("GET", path)
        assert (response.status_code, response["Content-Type"]) == (200, "application/xml")
        assert invoice.label.encode() in content(response)
    lacking = issue(buyer=Buyer(name="Joe"))
    response = mine("GET", f"invoices/{lacking.pk}/xml/")
    assert response.json()["errors"][0]["code"] == "not_an_einvoice"


def test_a_document_is_mailed_once_a_request(
    known: User, finance: Api, mine: Api, issue: Issue
) -> None:
    invoice = issue()
    path = f"invoices/{invoice.pk}/send/"
    first = finance("POST", path, Idempotency_Key="one")
    assert first.status_code == 202
    again = finance("POST", path, Idempotency_Key="one")
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    work()
    work()
    (sent,) = mail.outbox
    assert sent.to == [known.email]
    assert f"Rechnung {invoice.label}" in str(sent.subject)
    assert f"/billing/invoices/{invoice.pk}/" in str(sent.body)
    assert "über 26,97 €, zahlbar bis" in str(sent.body).replace("\u00a0", " ")
    ((name, attached, media_type),) = sent.attachments
    assert (name, media_type) == (f"{invoice.label}.pdf", "application/pdf")
    # What is mailed is what is kept.
    assert content(mine("GET", f"invoices/{invoice.pk}/pdf/")) == attached
    entry = Waiting.objects.get(action="invoice.sent")
    assert entry.object == f"invoice:{invoice.pk}"
    assert finance("POST", path, Idempotency_Key="two").json() != first.json()
    work()
    assert len(mail.outbox) == 2
    assert mine("POST", path).status_code == 403
    assert finance("POST", f"invoices/{uuid4()}/send/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_request_without_a_key_is_one_transaction_too(
    known: User, finance: Api, issue: Issue
) -> None:
    assert finance("POST", f"invoices/{issue().pk}/send/").status_code == 202
    run = finance("POST", "runs/", {"until": "2023-01-01", "issue": False})
    assert run.status_code == 202, run.content


def test_a_customer_without_a_verified_address_gets_no_mail(
    customer: User, finance: Api, issue: Issue
) -> None:
    path = f"invoices/{issue().pk}/send/"
    response = finance("POST", path)
    assert response.status_code == 409
    assert response.json()["errors"][0]["code"] == "email_not_verified"
    assert not File.objects.exists()


def test_a_credit_note_has_the_same_files(
    known: User, finance: Api, mine: Api, issue: Issue
) -> None:
    invoice = issue()
    note = credit_note_create(
        actor=finance.user, invoice=invoice, lines=[Asked(position=1, quantity=1)], reason="late"
    ).note
    xml = mine("GET", f"credit-notes/{note.pk}/xml/")
    assert xml.status_code == 200
    assert b"<ram:TypeCode>381</ram:TypeCode>" in xml.content
    assert invoice.label.encode() in xml.content
    assert finance("POST", f"credit-notes/{note.pk}/send/").status_code == 202
    work()
    work()
    assert f"Gutschrift {note.label}" in str(mail.outbox[0].subject)
    assert is_pdf(mine("GET", f"credit-notes/{note.pk}/pdf/"))
    # Neither is found at the address of the other.
    assert mine("GET", f"invoices/{note.pk}/pdf/").status_code == 404
    assert mine("GET", f"credit-notes/{invoice.pk}/xml/").status_code == 404


def test_an_erased_buyer_is_rendered_no_more(known: User, finance: Api, issue: Issue) -> None:
    invoice = issue()
    Party.objects.filter(document=invoice).delete()
    assert finance("GET", f"invoices/{invoice.pk}/xml/").status_code == 410
    assert finance("POST", f"invoices/{invoice.pk}/send/").status_code == 410


def test_the_code_of_a_paper_leads_to_a_page_for_people(client: Client, issue: Issue) -> None:
    invoice = issue()
    path = check_path(invoice.label, bytes(invoice.hash).hex())
    genuine = client.get(path)
    assert genuine.status_code == 200
    page = genuine.content.decode()
    assert "This document is genuine" in page
    assert invoice.label in page
    # No amounts and no names.
    assert not any(told in page for told in ("26.97", "22.66", "Joe Doe", "joe", "Short Street"))
    for number, digest in (
        (invoice.label, "0" * 64),
        ("INV-1999-000001", bytes(invoice.hash).hex()),
        (invoice.label, ""),
        ("<script>", "x" * 5000),
    ):
        response = client.get(check_path(number, digest))
        assert response.status_code == 200
        assert "This document is unknown" in response.content.decode()
    assert "unknown" not in client.get("/billing/verify/").content.decode()
