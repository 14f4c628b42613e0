"""What providers say: signed, in any order, twice, and more than anybody paid."""

import itertools
import json
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from django.db import OperationalError, transaction
from django.test import Client

from accounts.models import User
from billing.invoices.models import Balance, Entry
from billing.payments.inbox import message_book
from billing.payments.models import Chargeback, Payment, ProviderEvent, Refund
from billing.payments.paying import payment_begin
from billing.payments.providers.minor_units import from_minor, to_minor
from billing.payments.providers.signatures import sign
from billing.payments.providers.stripe_events import read_message
from billing.tests.conftest import Api
from billing.tests.ledger import balance_of, make_invoice, sums_of
from billing.tests.stripe_standin import SECRET, dispute, event, intent, post, refund

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def payment(customer: User, settings: Any) -> Payment:
    settings.BILLING_TEST_PROVIDER = True
    settings.BILLING_TEST_WEBHOOK_SECRETS = [SECRET]
    return payment_begin(
        actor=customer, document=make_invoice(customer, "100.00"), provider="test"
    )[0]


def book(body: bytes) -> str:
    """Book a message without HTTP."""
    return message_book("test", read_message(body))


def test_only_a_provider_is_believed(payment: Payment, settings: Any) -> None:
    client = Client()
    body = event("payment_intent.succeeded", intent(payment, 10_000))
    now = int(time.time())
    good = sign(body, SECRET)
    for signature in (
        "",
        "nonsense",
        "t=,v1=",
        sign(body, "whsec_other"),
        sign(body + b" ", SECRET),
        sign(body, SECRET, moment=now - 301),
        sign(body, SECRET, moment=now + 330),
        good.replace(f"t={now}", f"t={now},t={now}"),
        good.replace("v1=", "v0="),
        "t=" + "9" * 30 + ",v1=00",
        "t=٣,v1=00",
        "x" * 3000,
    ):
        answer = post(client, body, signature=signature)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "bad_signature")
    assert Entry.objects.filter(kind="paid").count() == 0 == ProviderEvent.objects.count()
    settings.BILLING_TEST_WEBHOOK_SECRETS = ["whsec_new", SECRET]
    assert post(client, body).json() == {"status": "booked"}
    # While a secret is changed, a message has both signatures.
    both = sign(body, "whsec_unknown", "whsec_new")
    assert post(client, body, signature=both).json() == {"status": "repeated"}
    assert post(client, body, provider="nobody").status_code == 404
    assert post(client, body, provider="bank").status_code == 404
    # Stripe is not configured, so nobody can sign with an empty secret.
    assert post(client, body, provider="stripe", signature=sign(body, "")).status_code == 404
    settings.BILLING_TEST_PROVIDER = False
    assert post(client, body).status_code == 404


def test_what_is_no_message_of_interest(payment: Payment) -> None:
    client = Client()
    for body in (b"", b"[]", b'{"id":"evt_1"}', b'{"id":1,"type":2,"data":{"object":{}}}', b"\xff"):
        assert post(client, body).status_code == 400, body
    strange: list[dict[str, Any]] = [
        *(intent(payment, 10_000, amount_received=value) for value in ("much", -1, True, 10**30)),
        *(intent(payment, 10_000, metadata=value) for value in ("text", [1])),
        # What has no id would be taken for whatever has none yet.
        intent(payment, 10_000, id=""),
        intent(payment, 10_000) | {"status": ["succeeded"]},
        refund(payment, 500, id=""),
        refund(payment, 500, payment_intent={"id": ""}),
        *({"object": "charge", "refunds": value} for value in ("text", {"data": [1]})),
        {"object": "charge", "refunds": {"data": {"id": 1}}},
    ]
    for each in strange:
        assert post(client, event("payment_intent.succeeded", each)).status_code == 400, each
    ignored = event("customer.created", {"object": "customer"})
    assert post(client, ignored).json() == {"status": "ignored"}
    # Somebody else's payment of the same account at the provider.
    foreign = intent(payment, 10_000, id="pi_foreign", metadata={})
    assert post(client, event("payment_intent.succeeded", foreign)).json() == {"status": "booked"}
    assert balance_of(payment.document)["paid"] == 0
    large = event("x", {"object": "customer", "text": "x" * 600_000})
    assert post(client, large).status_code == 413


def test_an_outage_is_answered_so_that_the_provider_tries_again(payment: Payment) -> None:
    body = event("payment_intent.succeeded", intent(payment, 10_000))
    away = OperationalError("gone")
    away.__cause__ = psycopg.OperationalError("gone")
    with patch("billing.payments.webhook_api.message_book", side_effect=away):
        answer = post(Client(), body)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert post(Client(), body).json() == {"status": "booked"}


def _orders(messages: list[bytes], most: int) -> list[list[bytes]]:
    """Return orders of messages, each message twice; all orders if there are not too many."""
    chosen = list(itertools.permutations(messages))
    if len(chosen) > most:
        chosen = random.Random(7).sample(chosen, most)
    return [[*order, *order[::-1]] for order in chosen]


Messages = Callable[[Payment], list[tuple[str, dict[str, Any]]]]
SETS: dict[str, tuple[Messages, dict[str, str], str]] = {
    "a dispute that is won": (
        lambda p: [
            ("payment_intent.processing", intent(p, 10_000, status="processing")),
            ("payment_intent.succeeded", intent(p, 10_000)),
            ("charge.dispute.created", dispute(p, 10_000)),
            ("charge.dispute.updated", dispute(p, 10_000, status="under_review")),
            # gumroad 2585: the money of a won dispute is the shop's again.
            ("charge.dispute.closed", dispute(p, 10_000, status="won")),
        ],
        {"paid": "100.00", "charged_back": "0.00", "refunded": "0.00"},
        "paid",
    ),
    "a dispute that is lost": (
        lambda p: [
            ("payment_intent.succeeded", intent(p, 10_000)),
            ("charge.dispute.created", dispute(p, 10_000)),
            # hyperswitch 11687: the status is the object's, not the name's.
            ("charge.dispute.funds_reinstated", dispute(p, 10_000, status="lost")),
            ("charge.dispute.closed", dispute(p, 10_000, status="lost")),
        ],
        {"paid": "100.00", "charged_back": "100.00", "refunded": "0.00"},
        "open",
    ),
    "an inquiry": (
        lambda p: [
            ("payment_intent.succeeded", intent(p, 10_000)),
            # lago 6444: nothing moves, and refunds are right.
            ("charge.dispute.created", dispute(p, 10_000, status="warning_needs_response")),
            ("charge.dispute.closed", dispute(p, 10_000, status="warning_closed")),
        ],
        {"paid": "100.00", "charged_back": "0.00", "refunded": "0.00"},
        "paid",
    ),
    "a refund and a dispute of the same money": (
        lambda p: [
            ("payment_intent.succeeded", intent(p, 10_000)),
            ("refund.created", refund(p, 10_000, status="pending")),
            ("refund.updated", refund(p, 10_000)),
            ("charge.dispute.created", dispute(p, 10_000)),
            ("charge.dispute.closed", dispute(p, 10_000, status="lost")),
        ],
        # gumroad 4358 deducted twice by mistake; here the provider did take it twice.
        {"paid": "100.00", "charged_back": "100.00", "refunded": "100.00"},
        "open",
    ),
    "a refund that fails after all": (
        lambda p: [
            ("payment_intent.succeeded", intent(p, 10_000)),
            ("refund.created", refund(p, 4_000)),
            ("refund.failed", refund(p, 4_000, status="failed", failure_reason="closed")),
        ],
        {"paid": "100.00", "charged_back": "0.00", "refunded": "0.00"},
        "paid",
    ),
    "a card that is refused first": (
        lambda p: [
            ("payment_intent.payment_failed", intent(p, 10_000, status="requires_payment_method")),
            ("payment_intent.canceled", intent(p, 10_000, status="canceled")),
            ("payment_intent.succeeded", intent(p, 10_000)),
        ],
        {"paid": "100.00", "charged_back": "0.00", "refunded": "0.00"},
        "paid",
    ),
    "more than was asked for": (
        lambda p: [
            ("payment_intent.succeeded", intent(p, 12_000)),
            # polar 8344: a dispute may exceed its payment.
            ("charge.dispute.created", dispute(p, 13_000)),
        ],
        {"paid": "120.00", "charged_back": "130.00", "refunded": "0.00"},
        "open",
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_any_order_and_twice_gives_the_same_sums(payment: Payment, name: str) -> None:
    made, expected, status = SETS[name]
    messages = [event(kind, thing) for kind, thing in made(payment)]
    for order in _orders(messages, 24):
        with transaction.atomic():
            for body in order:
                book(body)
            found = balance_of(payment.document)
            assert {each: f"{found[each]:.2f}" for each in expected} == expected, order
            assert found == sums_of(payment.document)
            assert Balance.objects.get(document=payment.document).status == status
            assert not ProviderEvent.objects.exclude(waits_for="").exists()
            transaction.set_rollback(True)


def test_what_exceeds_is_booked_and_shown(payment: Payment, mine: Api, finance: Api) -> None:
    for kind, thing in SETS["a refund and a dispute of the same money"][0](payment):
        book(event(kind, thing))
    shown = mine("GET", f"payments/{payment.pk}/").json()
    assert (shown["excess"], shown["attention"]) == ("100.00", ["excess"])
    invoice = finance("GET", f"invoices/{payment.document_id}/").json()
    assert (invoice["due"], invoice["refunded"], invoice["charged_back"]) == (
        "200.00",
        "100.00",
        "100.00",
    )
    assert "excess" in invoice["attention"]
    chargeback = Chargeback.objects.get()
    for verdict in ("won", "lost"):
        answer = finance("POST", f"chargebacks/{chargeback.pk}/{verdict}/")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "provider_decides")
    ask = {"amount": "1.00", "reason": "x", "opened_on": "2026-05-01"}
    answer = finance("POST", f"payments/{payment.pk}/chargebacks/", ask)
    assert answer.json()["errors"][0]["code"] == "provider_decides"


@pytest.mark.parametrize("way", ["credit", "void", "other payment"])
def test_nobody_pays_what_is_not_due_any_more(
    payment: Payment, customer: User, finance: Api, way: str
) -> None:
    path = f"invoices/{payment.document_id}/"
    last, _ = payment_begin(
        actor=customer, document=payment.document, provider="test", amount=D(60)
    )
    if way == "credit":
        lines = [{"position": 1, "quantity": 1}]
        answer = finance("POST", f"{path}credit-notes/", {"reason": "back", "lines": lines})
        assert answer.status_code == 201, answer.content
    elif way == "void":
        assert finance("POST", f"{path}void/", {"reason": "wrong"}).status_code == 201
    else:
        book(event("payment_intent.succeeded", intent(payment, 10_000)))
    last.refresh_from_db()
    assert last.status == "canceled"


def test_an_old_payment_that_is_paid_after_all(payment: Payment, customer: User) -> None:
    """The customer has two tabs, and pays in both."""
    document = payment.document
    other, is_new = payment_begin(actor=customer, document=document, provider="test", amount=D(60))
    assert is_new
    book(event("payment_intent.succeeded", intent(payment, 10_000)))
    book(event("payment_intent.succeeded", intent(other, 6_000)))
    # One session can have two payments, too.
    book(event("payment_intent.succeeded", intent(other, 6_000, id="pi_second")))
    book(event("payment_intent.succeeded", intent(other, 6_000, id="pi_second")))
    assert balance_of(document)["paid"] == D("220.00") == sums_of(document)["paid"]
    assert Payment.objects.filter(status="succeeded").count() == 3


def test_another_currency_is_not_added(payment: Payment) -> None:
    book(event("payment_intent.succeeded", intent(payment, 9_000, currency="usd")))
    assert balance_of(payment.document)["paid"] == 0
    book(event("payment_intent.succeeded", intent(payment, 10_000)))
    book(event("charge.dispute.created", dispute(payment, 11_000, currency="usd")))
    assert balance_of(payment.document)["charged_back"] == D("100.00")


def test_what_nobody_knows_yet_waits(payment: Payment) -> None:
    assert book(event("charge.dispute.created", dispute(payment, 10_000))) == "booked"
    assert ProviderEvent.objects.get().waits_for == f"pi_{payment.pk.hex}"
    assert Chargeback.objects.count() == 0
    session = {
        "object": "checkout.session",
        "id": "cs_1",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": f"pi_{payment.pk.hex}",
        "amount_total": 10_000,
        "currency": "eur",
        "metadata": {"payment": str(payment.pk)},
    }
    book(event("checkout.session.completed", session))
    assert balance_of(payment.document) == {
        "credited": D(0),
        "paid": D("100.00"),
        "refunded": D(0),
        "charged_back": D("100.00"),
    }
    # Old versions of Stripe's API put refunds into the charge.
    charge = {"object": "charge", "refunds": {"data": [refund(payment, 1_000)]}}
    book(event("charge.refunded", charge))
    assert Refund.objects.get().amount == D("10.00")


def test_amounts_are_in_the_units_of_stripe() -> None:
    """Paymenter 1258, gumroad 3749, woocommerce-gateway-stripe 435: a hundred times too much."""
    cases = [
        ("EUR", "19.99", 1999),
        ("JPY", "500", 500),
        ("KRW", "500", 500),
        ("MGA", "500.00", 500),
        ("ISK", "500", 50_000),
        ("UGX", "500", 50_000),
        ("KWD", "5.12", 5120),
    ]
    for currency, amount, minor in cases:
        assert to_minor(D(amount), currency) == minor, currency
        assert from_minor(minor, currency) == D(amount), currency
    for currency, amount in [("MGA", "0.50"), ("ISK", "0.50"), ("JPY", "0.5"), ("EUR", "0.001")]:
        with pytest.raises(ValueError, match="fraction"):
            to_minor(D(amount), currency)


def test_a_message_is_kept_as_facts_only(payment: Payment) -> None:
    thing = intent(payment, 10_000, receipt_email="joe@example.com")
    book(event("payment_intent.succeeded", thing))
    assert "joe@example.com" not in json.dumps(ProviderEvent.objects.get().facts)


def test_the_whole_way_of_a_payment_can_be_tried_offline(
    payment: Payment, customer: User, finance: Api
) -> None:
    browser = Client()
    browser.force_login(customer)
    page = f"/billing/test-payment/{payment.pk}/"
    assert browser.get(page).status_code == 200
    steps = [
        ("refuse", "open", {"paid": "0.00", "charged_back": "0.00"}),
        ("pay", "paid", {"paid": "100.00", "charged_back": "0.00"}),
        ("pay", "paid", {"paid": "100.00", "charged_back": "0.00"}),
        ("dispute", "open", {"paid": "100.00", "charged_back": "100.00"}),
        ("win", "paid", {"paid": "100.00", "charged_back": "0.00"}),
        ("lose", "paid", {"paid": "100.00", "charged_back": "0.00"}),
    ]
    for choice, status, sums in steps:
        assert browser.post(page, {"choice": choice}).status_code == 302
        shown = finance("GET", f"invoices/{payment.document_id}/").json()
        assert shown["status"] == status, choice
        assert {name: shown[name] for name in sums} == sums, choice
