"""The pages of finance: each form does what the API does, once, and loses nothing on an error."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.access import Caller
from accounts.models import User
from billing.coupons.models import Coupon
from billing.invoices.models import Balance, Document, Draft
from billing.pages.attention import find_attention
from billing.payments.models import Chargeback, Payment, Refund
from billing.runs.models import Run
from billing.taxes.models import ItemTax, TaxRate
from billing.tests.conftest import Api, buy, make

pytestmark = pytest.mark.django_db


class Pages:
    """A browser of an account."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)

    def get(self, path: str) -> str:
        answer = self.client.get(f"/billing/{path}")
        assert answer.status_code == 200, answer
        return answer.content.decode()

    def post(self, path: str, status: Any = 302, **form: Any) -> Any:
        form.setdefault("idempotency_key", str(uuid4()))
        answer = self.client.post(f"/billing/{path}", form)
        assert answer.status_code == status, answer.content.decode()[-3000:]
        return answer


@pytest.fixture
def pages(finance: Api) -> Pages:
    return Pages(finance.user)


def test_from_a_draft_to_a_refund(
    pages: Pages, finance: Api, customer: User, settings: Any
) -> None:
    settings.BILLING_PRICES_INCLUDE_TAX = True
    rate = {"code": "standard", "category": "S", "valid_from": "1.1.2021", "exemption": ""}
    again = pages.post("manage/taxes/", 400, **rate, rate="x").content.decode()
    assert 'value="1.1.2021"' in again
    pages.post("manage/taxes/", **rate, rate="19")
    assert TaxRate.objects.get().rate == 19
    pages.post("manage/coupons/", code="spring", value="10 %", currency="EUR")
    assert Coupon.objects.get().code == "SPRING"
    buy(customer, "9.99", 3)
    # A draft: what was typed stays after an error, and a repeat of a form makes no second one.
    asked = {"customer": "005", "coupons": "SPRING", "due_days": "14", "currency": ""}
    form = {**asked, "value_1": "1,000", "reason_1": "loyal"}
    refused = pages.post("manage/drafts/", 400, **form).content.decode()
    assert 'value="1,000"' in refused
    assert "SPRING" in refused
    form = {**asked, "value_1": "5 %", "reason_1": "loyal", "idempotency_key": "one"}
    made = pages.post("manage/drafts/", **form)
    assert pages.post("manage/drafts/", **form).url == made.url
    draft = Draft.objects.get()
    preview = pages.get(f"manage/drafts/{draft.pk}/")
    assert 'value="25.62"' in preview
    issued = pages.post(f"manage/drafts/{draft.pk}/issue/").url
    redeemed = pages.get(f"manage/coupons/{Coupon.objects.get().pk}/")
    assert '<data class="money" value="3.00">€3<span class="d2">.00</span></data>' in redeemed
    assert pages.post(f"manage/drafts/{draft.pk}/issue/").url == issued
    invoice = Document.objects.get()
    assert str(invoice.total) == "25.62"
    assert invoice.label in pages.get("manage/?status=open")
    assert invoice.label not in pages.get("manage/?status=void")
    # A payment, typed as people type it, and booked once.
    path = f"invoices/{invoice.pk}/"
    paid = {"amount": "€ 30,00", "paid_on": "1.5.2024", "reference": "R-1", "method": "bank"}
    pages.post(f"{path}book/", **paid)
    pages.post(f"{path}book/", **paid)
    payment = Payment.objects.get()
    assert Balance.objects.get().paid == 30
    assert pages.post(f"{path}book/", 400, **(paid | {"amount": "$5"}))
    # A credit: shown before it is done, and nothing else is done than was shown.
    shown = pages.post(f"{path}credit/", 200, action="preview", quantity_1="1").content.decode()
    assert 'value="8.54"' in shown
    assert 'name="seen" value="1:1:None"' in shown
    credit = {"action": "credit", "seen": "1:1:None", "reason": "broken"}
    pages.post(f"{path}credit/", 409, **credit, quantity_1="2")
    pages.post(f"{path}credit/", 409, action="preview", quantity_1="4")
    pages.post(f"{path}credit/", 400, **(credit | {"reason": ""}), quantity_1="1")
    assert not Document.objects.filter(kind="credit_note").exists()
    pages.post(f"{path}credit/", **credit, quantity_1="1", idempotency_key="credit")
    pages.post(f"{path}credit/", **credit, quantity_1="1", idempotency_key="credit")
    assert Document.objects.filter(kind="credit_note").count() == 1
    assert Balance.objects.get().status == "paid"
    # A refund of what is overpaid, and a dispute of the rest.
    place = f"manage/payments/{payment.pk}/"
    back = {"action": "refund", "amount": "12.92", "reason": "broken"}
    pages.post(place, **back, idempotency_key="refund")
    pages.post(place, **back, idempotency_key="refund")
    pages.post(place, 409, **back)
    assert str(Refund.objects.get().amount) == "12.92"
    dispute = {"action": "dispute", "amount": "5", "reason": "fraud", "opened_on": "today"}
    pages.post(place, **dispute)
    opened = Chargeback.objects.get()
    waits = {each.url: each.count for each in find_attention(Caller.of(finance.user))}
    assert waits["/billing/manage/disputes/?status=opened"] == 1
    # The navigation counts all that waits by one query.
    with CaptureQueriesContext(connection) as queries:
        pages.get("manage/coupons/")
    assert sum("billing_chargeback" in each["sql"] for each in queries.captured_queries) == 1
    assert sum("billing_draft" in each["sql"] for each in queries.captured_queries) == 1
    pages.post(f"manage/disputes/{opened.pk}/", verdict="won")
    assert Chargeback.objects.get().status == "won"
    assert pages.post(f"{path}void/", reason="wrong").url == f"/billing/{path}"
    assert Balance.objects.get().status == "paid"


def test_void_runs_coupons_and_files(
    pages: Pages, customer: User, finance: Api, settings: Any
) -> None:
    buy(customer, "10.00", 1)
    id = finance("POST", "invoices/", {"userid": "005"}).json()["id"]
    finance("POST", f"invoices/{id}/issue/")
    assert "is being made" in pages.get(f"invoices/{id}/pdf/")
    pages.post(f"invoices/{id}/void/", reason="")
    assert Balance.objects.get().status == "open"
    pages.post(f"invoices/{id}/void/", reason="wrong")
    assert Balance.objects.get().status == "void"
    pages.post("manage/runs/", until="2026-01-31", issue="on", idempotency_key="run")
    url = pages.post("manage/runs/", until="2026-01-31", issue="on", idempotency_key="run").url
    assert url == f"/billing/manage/runs/{Run.objects.get().pk}/"
    assert "under way" in pages.get(url.removeprefix("/billing/"))
    # The API takes a time as well as a day.
    Run.objects.update(until="2026-01-31T12:00:00+01:00")
    for path in ("manage/runs/", url.removeprefix("/billing/")):
        assert "2026-01-31T11:00:00.000000Z" in pages.get(path)
    # In UTC it is beyond the calendar.
    Run.objects.update(until="9999-12-31T23:59:59.999999-12:00")
    for path in ("manage/runs/", url.removeprefix("/billing/")):
        assert "9999-12-31T23:59:59.999999Z" in pages.get(path)
    fixed = {"code": "FIVE", "value": "5,00", "currency": "EUR", "only_items": "book\npen"}
    place = pages.post("manage/coupons/", **fixed).url.removeprefix("/billing/")
    pages.post("manage/coupons/", 409, **fixed)
    pages.post(place, **(fixed | {"value": "6", "ends_at": "1.5.2030"}))
    pages.post(place, active="no")
    coupon = Coupon.objects.get()
    assert (str(coupon.amount), coupon.items, coupon.active) == ("6.00", ["book", "pen"], False)
    # A form that is sent as it is shown changes nothing.
    assert coupon.ends_at is not None
    ends_at = coupon.ends_at
    assert 'value="2030-05-01"' in pages.get(place)
    pages.post(place, **(fixed | {"value": "6", "ends_at": "2030-05-01"}))
    Coupon.objects.update(starts_at="2026-05-01T10:20:30.5Z")
    assert 'value="2026-05-01T10:20:30.500000Z"' in pages.get(place)
    assert Coupon.objects.get().ends_at == ends_at


def test_taxes_of_items_and_addresses_of_customers(
    pages: Pages, customer: User, finance: Api
) -> None:
    buy(customer, "10.70", 1, at=datetime(2026, 3, 1, tzinfo=UTC))
    assert "no tax rate" in pages.get("manage/runs/")
    rate = {"category": "S", "exemption": "", "code": "standard", "rate": "19"}
    pages.post("manage/taxes/", **rate, valid_from="2026-04-01")
    for path in ("manage/runs/", "manage/taxes/"):
        assert "before the first rate" in pages.get(path)
    old = rate | {"valid_from": "1.1.2020"}
    pages.post("manage/taxes/", **(old | {"code": "reduced", "rate": "7"}))
    pages.post("manage/taxes/", **old)
    assert "before the first rate" not in pages.get("manage/runs/")
    wrong = pages.post("manage/taxes/", 400, action="item", item="book", item_code="none")
    assert 'id="item_code-error"' in wrong.content.decode()
    pages.post("manage/taxes/", action="item", item="book", item_code="reduced")
    assert ItemTax.objects.get().code == "reduced"
    assert "<bdi>book</bdi>" in pages.get("manage/taxes/?item=bo")
    assert "<bdi>book</bdi>" not in pages.get("manage/taxes/?item=x")
    waiting = finance("POST", "invoices/", {"userid": "005"}).json()["id"]
    assert "BT-55" in pages.get(f"manage/drafts/{waiting}/")
    finance("DELETE", f"invoices/{waiting}/")
    joe = {"name": "Joe Ltd", "address": "Short Street 2", "country": "AT", "vat_id": ""}
    pages.post("manage/addresses/005/", **joe)
    pages.post("manage/addresses/none/", 404, **joe)
    draft = finance("POST", "invoices/", {"userid": "005"}).json()
    shown = pages.get(f"manage/drafts/{draft['id']}/")
    assert "Joe Ltd" in shown
    assert "Austria" in shown
    assert "no e-invoice" not in shown
    assert [each["rate"] for each in draft["taxes"]] == ["7.00"]
    pages.post("manage/taxes/", action="item-delete", item="book")
    assert not ItemTax.objects.exists()
    eve = Pages(make("eve", "support"))
    seen = eve.get("manage/addresses/005/")
    assert "Joe Ltd" in seen
    assert "data-keep" not in seen
    eve.post("manage/addresses/005/", 403, **joe)


def test_readers_see_no_forms(customer: User, finance: Api) -> None:
    buy(customer, "10.00", 1)
    id = finance("POST", "invoices/", {"userid": "005"}).json()["id"]
    finance("POST", f"invoices/{id}/issue/")
    eve = Pages(make("eve", "support"))
    for path in ("manage/", "manage/coupons/", "manage/runs/", "manage/taxes/", f"invoices/{id}/"):
        text = eve.get(path)
        assert 'method="post" data-keep' not in text, path
        assert 'popovertarget="acts"' not in text, path
    # The page of an invoice is one of the entry's, though its address is not below it.
    assert 'href="/billing/manage/" aria-current="page"' in eve.get(f"invoices/{id}/")
    eve.post(f"invoices/{id}/void/", 403, reason="wrong")


def test_a_customer_pays_and_names_an_address(customer: User, finance: Api, settings: Any) -> None:
    settings.BILLING_TEST_PROVIDER = True
    buy(customer, "10.00", 1)
    id = finance("POST", "invoices/", {"userid": "005"}).json()["id"]
    finance("POST", f"invoices/{id}/issue/")
    joe = Pages(customer)
    shown = joe.get(f"invoices/{id}/")
    assert "DE89 3704 0044 0532 0130 00" in shown
    assert "RF" in shown
    assert "<svg width" in shown
    begun = joe.post(f"invoices/{id}/pay/", 200, provider="test").content.decode()
    assert f"/billing/test-payment/{Payment.objects.get().pk}/" in begun
    refused = joe.post("profile/", 400, name="Joe Doe", vat_id="DE1").content.decode()
    assert 'value="Joe Doe"' in refused
    joe.post("profile/", name="Joe Doe", address="Short Street 2\n10117 Berlin", country="DE")
    assert "Short Street 2" in joe.get("profile/")


def test_the_admin_finds_rows_by_the_whole_number(
    customer: User, finance: Api, settings: Any
) -> None:
    buy(customer, "10.00", 1)
    id = finance("POST", "invoices/", {"userid": "005"}).json()["id"]
    number = finance("POST", f"invoices/{id}/issue/").json()["number"]
    paid = {"amount": "10.00", "paid_on": "2026-05-01", "reference": "R1"}
    assert finance("POST", f"invoices/{id}/payments/", paid).status_code == 201
    finance("POST", "coupons/", {"code": "SPRING", "percent": "10"})
    staff = Client()
    staff.force_login(make("root", is_staff=True, is_superuser=True))
    for model, term, other in (
        ("document", number.lower(), "INV-1999-000001"),
        ("document", "005", "006"),
        ("balance", number, "x"),
        ("entry", number, "x"),
        ("payment", number, "x"),
        ("coupon", " spring", "SUMMER"),
    ):
        found = staff.get(f"/admin/billing/{model}/", {"q": term}).content.decode()
        assert f"/admin/billing/{model}/" in found.split('id="result_list"')[1], model
        missed = staff.get(f"/admin/billing/{model}/", {"q": other}).content.decode()
        assert 'id="result_list"' not in missed, model
    payment = Payment.objects.get()
    shown = staff.get(f"/admin/billing/payment/{payment.pk}/change/").content.decode()
    assert "R1" in shown
    assert "field-action" not in shown
    settings.BILLING = False
    assert staff.get("/admin/billing/payment/").status_code == 403
    assert "billing" not in staff.get("/admin/").content.decode()


def test_a_demo_to_look_at(settings: Any) -> None:
    with pytest.raises(CommandError):
        call_command("demo_billing")
    settings.DEVELOPMENT = True
    fin = make("fin", "finance")
    for name in ("joe", "ann"):
        make(name)
    call_command("demo_billing", stdout=StringIO())
    with pytest.raises(CommandError, match="before"):
        call_command("demo_billing")
    listed = Api(fin)("GET", "invoices/").json()["results"]
    assert sorted(each["status"] for each in listed) == ["draft", "open", "open", "paid"]
    assert Document.objects.filter(kind="credit_note").count() == 1
