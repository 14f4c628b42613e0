"""Refunds through Stripe's API: sent once, whatever happens to the worker or the connection."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as configured
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.payments import refund_job
from billing.payments.models import Chargeback, Payment, Refund
from billing.payments.paying import payment_begin, payment_close
from billing.payments.refund_job import refund_send
from billing.payments.refunds import refund_overpaid, refund_request
from billing.payments.sweep import events_purge, payments_sweep
from billing.tests.conftest import Api
from billing.tests.ledger import balance_of, make_invoice, sums_of
from billing.tests.stripe_standin import (
    SECRET,
    StandIn,
    dispute,
    event,
    intent,
    post,
    refund,
    standing_in,
)
from billing.tests.test_payments import book, code_of, credit
from people.tests.test_at_once import at_once
from shop.celery import app

pytestmark = pytest.mark.django_db
D = Decimal
SEND = (
    "from uuid import UUID; from billing.payments.refund_job import refund_send;"
    " refund_send(UUID('{}'))"
)


@pytest.fixture
def stripe(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    with standing_in() as server:
        settings.STRIPE_SECRET_KEY = "sk_test"
        settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
        settings.STRIPE_API_URL = server.url
        yield server


def paid(customer: User, amount: str = "100.00") -> Payment:
    """Return a payment by Stripe of an invoice that is credited since."""
    invoice = make_invoice(customer, amount)
    payment, _ = payment_begin(actor=customer, document=invoice, provider="stripe")
    body = event("payment_intent.succeeded", intent(payment, int(D(amount) * 100)))
    assert post(Client(), body, provider="stripe").json() == {"status": "booked"}
    credit(invoice, amount)
    payment.refresh_from_db()
    return payment


def ask(payment: Payment, amount: str = "40.00") -> Refund:
    """Ask for a refund."""
    with transaction.atomic():
        return refund_request(
            actor=payment.customer, payment=payment, amount=D(amount), reason="broken"
        )


def work(row: Refund) -> str:
    """Let a worker do what it would do later; return the refund's status."""
    Refund.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now())
    refund_send(row.pk)
    row.refresh_from_db()
    return row.status


def test_a_customer_is_led_to_stripe(
    stripe: StandIn, customer: User, mine: Api, settings: Any
) -> None:
    invoice = make_invoice(customer, "26.97")
    path, body = f"invoices/{invoice.pk}/pay/", {"provider": "stripe"}
    # Stripe is away, in each way. Nothing is done, and the payment can be begun again.
    for how in ("before", "after", 500):
        stripe.fails = [how]
        answer = mine("POST", path, body)
        assert code_of(answer) == (503, "provider_unavailable")
        assert answer["Retry-After"]
    first = mine("POST", path, body, Idempotency_Key="k")
    assert first.status_code == 200
    assert first.json()["action"]["type"] == "redirect"
    assert mine("POST", path, body, Idempotency_Key="k").json() == first.json()
    # All of them were one session, and one payment.
    assert len(stripe.sessions) == 1 == Payment.objects.count()
    stripe.fails = [400]
    refused = mine("POST", path, {**body, "amount": "1.00"})
    assert code_of(refused) == (409, "provider_refused")
    assert Payment.objects.filter(status="failed").count() == 1
    settings.STRIPE_API_URL = "http://127.0.0.1:9"
    other = make_invoice(customer, "1.00")
    away = mine("POST", f"invoices/{other.pk}/pay/", body)
    assert code_of(away) == (503, "provider_unavailable")


def test_nobody_can_pay_at_stripe_what_is_paid_or_replaced(
    stripe: StandIn,
    customer: User,
    mine: Api,
    finance: Api,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    hinted: list[dict[str, str]] = []
    monkeypatch.setattr(app, "send_task", lambda name, kwargs, **more: hinted.append(kwargs))
    invoice = make_invoice(customer, "20.00")
    path = f"invoices/{invoice.pk}/pay/"
    with django_capture_on_commit_callbacks(execute=True):
        mine("POST", path, {"provider": "stripe"})
        mine("POST", path, {"provider": "stripe", "amount": "5.00"})
        assert book(finance, invoice, "20.00").status_code == 201
    assert not Payment.objects.filter(status="pending").exists()
    for each in hinted:
        payment_close(UUID(each["payment_id"]))
    assert [each["status"] for each in stripe.sessions.values()] == ["expired", "expired"]
    # Stripe may be away, and the payment may have come in spite of it.
    stripe.fails = ["before"]
    payment_close(UUID(hinted[0]["payment_id"]))
    late = Payment.objects.get(pk=hinted[0]["payment_id"])
    post(Client(), event("x", intent(late, 2_000)), provider="stripe")
    payment_close(late.pk)
    assert balance_of(invoice)["paid"] == D("40.00")


@pytest.mark.parametrize(
    ("fails", "statuses", "sent"),
    [
        ([], ["succeeded", "succeeded"], 1),
        # The answer was lost: it is found, and not sent again.
        (["after"], ["unknown", "succeeded"], 1),
        # It never arrived: it is looked for, and then sent under the same key.
        (["before"], ["unknown", "succeeded"], 2),
        ([500], ["unknown", "succeeded"], 2),
        # Stripe has looked at the key or the rate only.
        ([429], ["requested", "succeeded"], 2),
        ([401], ["requested", "succeeded"], 2),
        # Stripe says no, and the money stays with the shop.
        ([400], ["failed", "failed"], 1),
    ],
)
def test_a_refund_is_sent_once(
    stripe: StandIn, customer: User, fails: list[Any], statuses: list[str], sent: int
) -> None:
    payment = paid(customer)
    row = ask(payment)
    stripe.fails = fails
    assert [work(row), work(row)] == statuses
    assert stripe.asked.count("POST /v1/refunds") == sent
    failed = statuses[-1] == "failed"
    assert len(stripe.refunds) == (0 if failed else 1)
    assert balance_of(payment.document)["refunded"] == D("0.00" if failed else "40.00")
    assert sums_of(payment.document) == balance_of(payment.document)
    # What its messages say is known by then.
    for made in stripe.refunds.values():
        post(Client(), event("refund.created", made), provider="stripe")
    assert Refund.objects.count() == 1


def test_a_message_may_overtake_the_answer(stripe: StandIn, customer: User) -> None:
    """polar: ``refund.created`` races with the answer of the request."""
    payment = paid(customer)
    row = ask(payment)
    stripe.fails = ["after"]
    assert work(row) == "unknown"
    (made,) = stripe.refunds.values()
    post(Client(), event("refund.created", made), provider="stripe")
    row.refresh_from_db()
    assert (row.status, row.external_id) == ("succeeded", made["id"])
    assert Refund.objects.count() == 1
    # A refund that somebody makes in the dashboard is booked, and never sent.
    other = refund(payment, 6000, status="pending")
    post(Client(), event("refund.created", other), provider="stripe")
    assert balance_of(payment.document)["refunded"] == D("100.00")
    stripe.refunds[other["id"]] = {**other, "status": "succeeded"}
    assert work(Refund.objects.get(external_id=other["id"])) == "succeeded"
    assert stripe.asked.count("POST /v1/refunds") == 1


def test_a_refund_that_is_pending_and_one_that_comes_back(stripe: StandIn, customer: User) -> None:
    payment = paid(customer)
    row = ask(payment)
    stripe.refund_status = "pending"
    assert work(row) == "submitted"
    (made,) = stripe.refunds.values()
    made["status"] = "succeeded"
    assert work(row) == "succeeded"
    failed = event("refund.failed", {**made, "status": "failed", "failure_reason": "closed"})
    post(Client(), failed, provider="stripe")
    row.refresh_from_db()
    assert (row.status, row.failure) == ("failed", "closed")
    assert balance_of(payment.document)["refunded"] == 0
    assert ask(payment, "100.00").status == "requested"


def test_what_no_provider_knows_is_given_up_once_its_keys_are_gone(
    stripe: StandIn, customer: User
) -> None:
    payment = paid(customer)
    row = ask(payment)
    stripe.fails = ["before"]
    assert work(row) == "unknown"
    Refund.objects.update(sent_at=timezone.now() - refund_job.KEYS_KEPT - timedelta(minutes=1))
    assert work(row) == "failed"
    assert stripe.asked.count("POST /v1/refunds") == 1
    assert balance_of(payment.document)["refunded"] == 0
    # If it happened after all, it is booked anew.
    late = refund(payment, 4000, metadata={"refund": str(row.pk)})
    post(Client(), event("refund.created", late), provider="stripe")
    assert (
        balance_of(payment.document)["refunded"]
        == D("40.00")
        == sums_of(payment.document)["refunded"]
    )


def test_the_sweep_asks_what_became_of_things(stripe: StandIn, customer: User) -> None:
    """gumroad 6852: disputes were stuck for ever after lost messages."""
    payment = paid(customer)
    thing = dispute(payment, 10_000)
    post(Client(), event("charge.dispute.created", thing), provider="stripe")
    stripe.disputes[thing["id"]] = {**thing, "status": "won"}
    waiting, _ = payment_begin(
        actor=customer, document=make_invoice(customer, "5.00"), provider="stripe"
    )
    Payment.objects.filter(pk=waiting.pk).update(session_id="cs_lost")
    stripe.sessions["cs_lost"] = {
        "object": "checkout.session",
        "id": "cs_lost",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": "pi_lost",
        "amount_total": 500,
        "currency": "eur",
        "metadata": {"payment": str(waiting.pk)},
    }
    payments_sweep()
    assert Chargeback.objects.get().status == "opened"
    for model in (Payment, Chargeback):
        model.objects.update(next_attempt_at=timezone.now())
    # Stripe is away first.
    stripe.fails = ["away"]
    payments_sweep()
    assert Chargeback.objects.get().status == "opened"
    stripe.fails = []
    for model in (Payment, Chargeback):
        model.objects.update(next_attempt_at=timezone.now())
    payments_sweep()
    assert Chargeback.objects.get().status == "won"
    waiting.refresh_from_db()
    assert (waiting.status, waiting.external_id) == ("succeeded", "pi_lost")
    assert balance_of(payment.document)["charged_back"] == 0
    assert events_purge() == 0


def test_all_that_is_overpaid_goes_back_from_several_payments(
    stripe: StandIn, customer: User
) -> None:
    payment = paid(customer)
    # Somebody had another tab open.
    twice = event("payment_intent.succeeded", intent(payment, 3_000, id="pi_twice"))
    post(Client(), twice, provider="stripe")
    post(Client(), event("charge.dispute.created", dispute(payment, 1_000)), provider="stripe")
    with transaction.atomic():
        refunds = refund_overpaid(
            actor=customer, document_id=payment.document_id, reason="returned"
        )
    assert [each.amount for each in refunds] == [D("30.00")]


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_refund_no_more_than_is_overpaid(
    stripe: StandIn, customer: User, finance: Api
) -> None:
    """hyperswitch 13182: 120 were refunded of 100."""
    payment = paid(customer, "100.00")
    body = {"amount": "7.00", "reason": "broken"}
    calls = [
        lambda: finance("POST", f"payments/{payment.pk}/refunds/", body).status_code
        for _ in range(50)
    ]
    results = at_once(calls)
    assert results == {202: 14, 409: 36}
    assert (
        balance_of(payment.document)["refunded"]
        == D("98.00")
        == sums_of(payment.document)["refunded"]
    )


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_between_sending_and_marking(
    stripe: StandIn, customer: User
) -> None:
    payment = paid(customer)
    row = ask(payment)
    stripe.fails = ["hang"]
    wanted = connection.settings_dict
    url = "postgresql://{USER}:{PASSWORD}@/{NAME}?host={HOST}&port={PORT}".format(**wanted)
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", SEND.format(row.pk)],
        cwd=configured.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": url, "STRIPE_SECRET_KEY": "sk_test", "STRIPE_API_URL": stripe.url},
    )
    try:
        assert stripe.hangs.wait(60)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(30)
    row.refresh_from_db()
    assert (row.status, row.sent_at is not None) == ("requested", True)
    # Nobody else takes it before the worker may be thought dead.
    refund_send(row.pk)
    assert stripe.asked.count("POST /v1/refunds") == 1
    assert work(row) == "succeeded"
    assert stripe.asked.count("POST /v1/refunds") == 1
    assert len(stripe.refunds) == 1
    assert balance_of(payment.document)["refunded"] == D("40.00")
