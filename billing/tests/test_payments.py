"""Payments, refunds and chargebacks by the API, as the contract has them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from stdnum import iso11649

from accounts.models import User
from audit.models import Waiting
from billing.invoices.models import Balance, Document
from billing.payments.models import Chargeback, Payment, Refund
from billing.payments.refund_job import refund_send
from billing.tests.conftest import Api, make
from billing.tests.ledger import balance_of, broken, make_invoice, sums_of
from events.models import Outbox

pytestmark = pytest.mark.django_db
D = Decimal
TODAY = timezone.localdate().isoformat()


def code_of(answer: Any) -> tuple[int, str]:
    """Return the status and the code of an error."""
    return answer.status_code, answer.json()["errors"][0]["code"]


def book(finance: Api, invoice: Document, amount: str, reference: str = "R-1", **more: Any) -> Any:
    """Book a payment; return the answer."""
    body = {"amount": amount, "paid_on": TODAY, "reference": reference, **more}
    return finance("POST", f"invoices/{invoice.pk}/payments/", body)


def credit(invoice: Document, amount: str) -> None:
    """Credit a part of an invoice, without a credit note."""
    from uuid import uuid4

    from django.db import transaction

    from billing.payments.entries import enter

    with transaction.atomic():
        enter(invoice.pk, "credited", uuid4(), D(amount))


def test_a_customer_pays_by_bank(customer: User, mine: Api, finance: Api) -> None:
    invoice = make_invoice(customer, "26.97")
    first = mine("POST", f"invoices/{invoice.pk}/pay/", {"provider": "bank"})
    assert first.status_code == 201, first.content
    action = first.json()["action"]
    assert (action["type"], action["iban"]) == ("bank_transfer", "DE89370400440532013000")
    assert iso11649.is_valid(action["reference"])
    assert action["amount"] == "26.97"
    assert action["qr_svg"].startswith("<svg")
    again = mine("POST", f"invoices/{invoice.pk}/pay/", {"provider": "bank"})
    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Idempotent-Replayed"] == "true"
    # Another amount replaces the open payment, so there is never more than one.
    part = mine("POST", f"invoices/{invoice.pk}/pay/", {"provider": "bank", "amount": "10.00"})
    assert part.status_code == 201
    open = mine("GET", "payments/?status=pending").json()["results"]
    assert [each["id"] for each in open] == [part.json()["payment"]]
    # What arrives settles it.
    booked = book(finance, invoice, "26.97", action["reference"])
    assert booked.status_code == 201
    assert booked.json()["id"] == part.json()["payment"]
    assert (booked.json()["status"], booked.json()["received"]) == ("succeeded", "26.97")
    assert Balance.objects.get(document=invoice).status == "paid"
    nothing = mine("POST", f"invoices/{invoice.pk}/pay/", {"provider": "bank"})
    assert code_of(nothing) == (409, "nothing_due")
    assert Waiting.objects.filter(action="payment.started").count() == 2
    assert Waiting.objects.filter(action="payment.booked").count() == 1
    assert Outbox.objects.filter(type=23).count() == 1
    assert Outbox.objects.filter(type=21).count() == 1


def test_what_one_may_pay(customer: User, other: User, mine: Api, finance: Api) -> None:
    invoice = make_invoice(customer, "26.97")
    path = f"invoices/{invoice.pk}/pay/"
    for body, code in [
        ({"provider": "gold"}, "invalid_choice"),
        # Nobody pays cash by the API.
        ({"provider": "cash"}, "invalid_choice"),
        ({"provider": "bank", "amount": "0"}, "invalid"),
        ({"provider": "bank", "amount": "-1.00"}, "invalid"),
        ({"provider": "bank", "amount": "26.98"}, "invalid"),
        ({"provider": "bank", "amount": "1.001"}, "max_decimal_places"),
        ({}, "required"),
    ]:
        assert code_of(mine("POST", path, body)) == (400, code), body
    assert Api(other)("POST", path, {"provider": "bank"}).status_code == 404
    assert Api(make("sue", "support"))("POST", path, {"provider": "bank"}).status_code == 403
    assert finance("POST", path, {"provider": "bank"}).status_code == 201
    assert mine("POST", "invoices/nothing/pay/", {"provider": "bank"}).status_code == 404
    # Yen have no decimals, and no EPC code.
    yen = make_invoice(customer, "500", currency="JPY", exponent=0)
    path = f"invoices/{yen.pk}/pay/"
    assert code_of(mine("POST", path, {"provider": "bank", "amount": "1.50"})) == (400, "invalid")
    assert mine("POST", path, {"provider": "bank"}).json()["action"]["qr_svg"] == ""


def test_a_shop_without_a_name_has_bank_details_and_no_code(
    customer: User, mine: Api, settings: Any
) -> None:
    settings.BILLING_SELLER = settings.BILLING_SELLER | {"name": ""}
    path = f"invoices/{make_invoice(customer, '26.97').pk}/pay/"
    answer = mine("POST", path, {"provider": "bank"})
    assert (answer.status_code, answer.json()["action"]["qr_svg"]) == (201, "")


def test_today_is_that_of_the_site(
    customer: User, finance: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site's zone is a setting at run time, which Django's own default knows nothing of."""
    yesterday = timezone.localdate() - timedelta(days=1)
    monkeypatch.setattr(timezone, "localdate", lambda: yesterday)
    booked = book(finance, make_invoice(customer), "1.00")
    assert booked.status_code == 201, booked.content
    today = {"amount": "1.00", "reason": "fraud", "opened_on": TODAY}
    answer = finance("POST", f"payments/{booked.json()['id']}/chargebacks/", today)
    assert answer.status_code == 201, answer.content


def test_the_largest_invoice_is_paid_at_once(customer: User, finance: Api) -> None:
    """One line of the ledger has up to 16 digits before the point, and there may be 5000."""
    total = "49999999999950000000.00"
    invoice = make_invoice(customer, total)
    assert book(finance, invoice, total).status_code == 201
    assert finance("GET", f"invoices/{invoice.pk}/").json()["status"] == "paid"


def test_what_is_booked_twice_is_booked_once(
    customer: User, other: User, mine: Api, finance: Api
) -> None:
    invoice = make_invoice(customer, "100.00")
    first = book(finance, invoice, "60.00")
    assert first.status_code == 201
    again = book(finance, invoice, "60.00")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert code_of(book(finance, invoice, "61.00")) == (409, "reference_used")
    # The same transfer may pay two invoices.
    assert book(finance, make_invoice(customer, "5.00"), "5.00").status_code == 201
    over = book(finance, invoice, "50.00", "R-2", method="cash")
    assert (over.status_code, over.json()["provider"]) == (201, "cash")
    assert balance_of(invoice)["paid"] == D("110.00") == sums_of(invoice)["paid"]
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    assert code_of(book(finance, invoice, "1.00", "R-3", paid_on=tomorrow)) == (400, "invalid")
    assert code_of(book(finance, invoice, "0", "R-3")) == (400, "invalid")
    assert book(mine, invoice, "1.00").status_code == 403
    # An idempotency key holds, too.
    body = {"amount": "1.00", "paid_on": TODAY, "reference": "R-4"}
    path = f"invoices/{invoice.pk}/payments/"
    keyed = [finance("POST", path, body, Idempotency_Key="k") for _ in range(2)]
    assert [each.status_code for each in keyed] == [201, 201]
    assert keyed[1]["Idempotent-Replayed"] == "true"
    assert keyed[0].json() == keyed[1].json()
    changed = finance("POST", path, {**body, "amount": "2.00"}, Idempotency_Key="k")
    assert code_of(changed) == (422, "idempotency_key_reused")
    # Each sees what is theirs.
    assert len(mine("GET", "payments/").json()["results"]) == 4
    assert mine("GET", f"payments/?invoice={invoice.pk}&page_size=1").json()["next"]
    assert Api(other)("GET", "payments/").json()["results"] == []
    assert Api(other)("GET", f"payments/{first.json()['id']}/").status_code == 404
    assert len(finance("GET", "payments/?username=joe").json()["results"]) == 4
    assert finance("GET", "payments/?username=ann").json()["results"] == []
    assert finance("GET", "payments/?status=odd").status_code == 400
    assert finance("GET", "payments/?invoice=odd").status_code == 400


def test_money_goes_back_only_where_it_is_owed(customer: User, mine: Api, finance: Api) -> None:
    invoice = make_invoice(customer, "100.00")
    small = book(finance, invoice, "30.00", "A").json()["id"]
    large = book(finance, invoice, "70.00", "B").json()["id"]

    def refund(payment: str, amount: str, reason: str = "broken") -> Any:
        body = {"amount": amount, "reason": reason}
        return finance("POST", f"payments/{payment}/refunds/", body)

    assert code_of(refund(large, "0.01")) == (409, "exceeds_overpaid")
    credit(invoice, "50.00")
    assert code_of(refund(large, "50.01")) == (409, "exceeds_overpaid")
    assert code_of(refund(small, "30.01")) == (409, "exceeds_payment")
    assert code_of(refund(small, "0.00")) == (400, "invalid")
    asked = refund(small, "30.00")
    assert (asked.status_code, asked.json()["status"]) == (202, "requested")
    # What is on its way counts as gone.
    assert balance_of(invoice)["refunded"] == D("30.00")
    assert code_of(refund(small, "0.01")) == (409, "exceeds_payment")
    assert code_of(refund(large, "20.01")) == (409, "exceeds_overpaid")
    refund_send(Refund.objects.get().pk)
    shown = mine("GET", f"refunds/{asked.json()['id']}/").json()
    assert (shown["status"], shown["amount"]) == ("succeeded", "30.00")
    assert mine("GET", f"payments/{small}/").json()["refunded"] == "30.00"
    assert mine("POST", f"payments/{small}/refunds/", {}).status_code == 403
    assert Waiting.objects.filter(action="refund.requested").count() == 1
    assert set(Outbox.objects.filter(type__in=[24, 25]).values_list("type", flat=True)) == {24, 25}
    assert sums_of(invoice) == balance_of(invoice)


def test_a_refund_by_hand_that_did_not_arrive(customer: User, mine: Api, finance: Api) -> None:
    invoice = make_invoice(customer, "10.00")
    paid = {"amount": "15.00", "paid_on": "2026-05-01", "reference": "R-1"}
    payment = finance("POST", f"invoices/{invoice.pk}/payments/", paid).json()["id"]
    asked = {"amount": "5.00", "reason": "too much"}
    refund = finance("POST", f"payments/{payment}/refunds/", asked).json()["id"]
    refund_send(UUID(refund))
    assert mine("GET", f"refunds/{refund}/").json()["status"] == "succeeded"
    path = f"refunds/{refund}/failed/"
    assert mine("POST", path, {"reason": "no"}).status_code == 403
    assert finance("POST", path, {}).status_code == 400
    for _ in range(2):
        failed = finance("POST", path, {"reason": "Account closed"})
        assert (failed.status_code, failed.json()["status"]) == (200, "failed")
        assert failed.json()["failure"] == "Account closed"
    shown = mine("GET", f"invoices/{invoice.pk}/").json()
    assert (shown["refunded"], shown["overpaid"]) == ("0.00", "5.00")
    assert set(shown["attention"]) >= {"refund_failed", "overpaid"}
    assert Waiting.objects.filter(action="refund.failed").count() == 1
    # It can be sent again, and a worker that comes late changes nothing.
    refund_send(UUID(refund))
    assert mine("GET", f"refunds/{refund}/").json()["status"] == "failed"
    assert finance("POST", f"payments/{payment}/refunds/", asked).status_code == 202
    Refund.objects.update(provider="test")
    assert code_of(finance("POST", path, {"reason": "x"})) == (409, "provider_decides")


def test_a_bank_takes_a_payment_back(customer: User, mine: Api, finance: Api) -> None:
    invoice = make_invoice(customer, "100.00")
    payment = book(finance, invoice, "100.00").json()["id"]
    path = f"payments/{payment}/chargebacks/"
    body = {"amount": "40.00", "reason": "fraud", "reference": "CB1", "opened_on": TODAY}
    assert code_of(finance("POST", path, {**body, "amount": "100.01"})) == (409, "exceeds_payment")
    opened = finance("POST", path, body)
    assert (opened.status_code, opened.json()["status"]) == (201, "opened")
    again = finance("POST", path, body)
    assert (again.status_code, again.json()) == (200, opened.json())
    assert balance_of(invoice)["charged_back"] == D("40.00")
    assert Balance.objects.get(document=invoice).status == "partially_paid"
    # Money in an open dispute stays where it is, even where it is owed.
    credit(invoice, "80.00")
    ask = {"amount": "1.00", "reason": "x"}
    refunds = f"payments/{payment}/refunds/"
    assert code_of(finance("POST", refunds, ask)) == (409, "disputed")
    before = sums_of(invoice)
    id = opened.json()["id"]
    won = finance("POST", f"chargebacks/{id}/won/")
    assert (won.status_code, won.json()["status"]) == (200, "won")
    assert finance("POST", f"chargebacks/{id}/won/").status_code == 200
    assert code_of(finance("POST", f"chargebacks/{id}/lost/")) == (409, "closed")
    # Exactly it comes back.
    assert sums_of(invoice) == {**before, "charged_back": D("0.00")} == balance_of(invoice)
    assert finance("POST", refunds, ask).status_code == 202
    second = finance("POST", path, {**body, "reference": "CB2"}).json()["id"]
    assert finance("POST", f"chargebacks/{second}/lost/").json()["status"] == "lost"
    assert code_of(finance("POST", f"chargebacks/{second}/won/")) == (409, "closed")
    assert balance_of(invoice)["charged_back"] == D("40.00")
    assert [each["id"] for each in mine("GET", "chargebacks/").json()["results"]] == [second, id]
    # The checks find what somebody changed by hand.
    assert broken() == []
    Payment.objects.update(received=D("99.00"))
    Refund.objects.update(status="failed")
    Chargeback.objects.filter(pk=second).update(status="won")
    assert len(broken()) == 3
    assert mine("POST", f"chargebacks/{second}/won/").status_code == 403
    actions = Waiting.objects.filter(action__startswith="chargeback.")
    assert sorted(actions.values_list("action", flat=True)) == [
        "chargeback.lost",
        "chargeback.opened",
        "chargeback.opened",
        "chargeback.won",
    ]


def test_a_list_asks_as_often_for_many_rows(
    customer: User, finance: Api, django_assert_num_queries: Any
) -> None:
    invoice = make_invoice(customer, "100.00")
    counts = []
    for number in range(2):
        for each in range(5):
            book(finance, invoice, "1.00", f"R-{number}-{each}")
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as asked:
            assert finance("GET", "payments/").status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert Payment.objects.count() == 10
