"""Payments, refunds, disputes and credits in any sequence, against a plain model of the money."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from billing.invoices.models import Balance
from billing.payments.entries import enter
from billing.payments.errors import Disputed, ExceedsOverpaid, ExceedsPayment
from billing.payments.inbox import message_book
from billing.payments.models import Payment
from billing.payments.movements import refund_moves
from billing.payments.paying import payment_book
from billing.payments.providers.stripe_events import read_message
from billing.payments.refunds import refund_request
from billing.tests.ledger import balance_of, broken, make_invoice, sums_of
from billing.tests.stripe_standin import dispute, event, refund
from shop.celery import app

pytestmark = pytest.mark.django_db
TOTAL = 10_000
CENTS = st.integers(1, 12_000)


@dataclass
class Model:
    """What one payment's money must be, in cents."""

    row: Payment
    received: int
    refunds: dict[str, tuple[int, str]] = field(default_factory=dict)
    disputes: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def refunded(self) -> int:
        return sum(amount for amount, status in self.refunds.values() if status != "failed")

    @property
    def taken(self) -> int:
        taken = ("needs_response", "lost")
        return sum(amount for amount, status in self.disputes.values() if status in taken)

    @property
    def is_disputed(self) -> bool:
        return any(status == "needs_response" for _, status in self.disputes.values())


RANKS = {"warning_needs_response": 0, "needs_response": 1, "lost": 2, "won": 3, "warning_closed": 3}


class Money(RuleBasedStateMachine):
    customer: User

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.invoice = make_invoice(self.customer, "100.00")
        self.payments: list[Model] = []
        self.credited = 0

    def teardown(self) -> None:
        assert broken() == []
        transaction.savepoint_rollback(self.savepoint)

    @property
    def overpaid(self) -> int:
        received = sum(each.received - each.refunded - each.taken for each in self.payments)
        return max(0, received - (TOTAL - self.credited))

    def chosen(self, number: int) -> Model | None:
        return self.payments[number % len(self.payments)] if self.payments else None

    @initialize(cents=CENTS)
    def begin(self, cents: int) -> None:
        self.pay(cents)

    @rule(cents=CENTS)
    def pay(self, cents: int) -> None:
        row, _ = payment_book(
            actor=self.customer,
            document=self.invoice,
            amount=Decimal(cents) / 100,
            paid_on=self.invoice.issued_on,
            reference=uuid4().hex,
        )
        # As if a provider had taken it, so that it can tell of refunds and disputes.
        Payment.objects.filter(pk=row.pk).update(provider="test", external_id=f"pi_{row.pk.hex}")
        row.refresh_from_db()
        self.payments.append(Model(row, cents))

    @rule(cents=CENTS)
    def credit(self, cents: int) -> None:
        cents = min(cents, TOTAL - self.credited)
        enter(self.invoice.pk, "credited", uuid4(), Decimal(cents) / 100)
        self.credited += cents

    @rule(number=st.integers(0, 1), cents=CENTS)
    def ask_for_refund(self, number: int, cents: int) -> None:
        model = self.chosen(number)
        if model is None:
            return
        refused: type[Exception] | None = None
        if model.is_disputed:
            refused = Disputed
        elif cents > self.overpaid:
            refused = ExceedsOverpaid
        elif cents > model.received - model.refunded - model.taken:
            refused = ExceedsPayment

        def ask() -> Any:
            return refund_request(
                actor=self.customer, payment=model.row, amount=Decimal(cents) / 100, reason="x"
            )

        if refused is not None:
            with pytest.raises(refused):
                ask()
        else:
            model.refunds[str(ask().pk)] = (cents, "requested")

    @rule(number=st.integers(0, 1), status=st.sampled_from(["unknown", "succeeded", "failed"]))
    def refund_ends(self, number: int, status: str) -> None:
        model = self.chosen(number)
        for id, (cents, was) in model.refunds.items() if model else ():
            if was == "requested" and model is not None:
                row = model.row.refunds.get(pk=id)
                if refund_moves(row, status):
                    model.refunds[id] = (cents, row.status if status != "unknown" else "requested")
                return

    @rule(number=st.integers(0, 1), cents=CENTS, status=st.sampled_from(["pending", "failed"]))
    def provider_refunds(self, number: int, cents: int, status: str) -> None:
        """Book what is done in the dashboard, even where it exceeds."""
        model = self.chosen(number)
        if model is None:
            return
        id = f"re_{len(model.refunds)}_{model.row.pk.hex}"
        self.tell(refund(model.row, cents, id=id, status=status))
        model.refunds[id] = (cents, status)

    @rule(
        number=st.integers(0, 1),
        cents=CENTS,
        status=st.sampled_from(sorted(RANKS)),
    )
    def provider_disputes(self, number: int, cents: int, status: str) -> None:
        """Book the states of a dispute as they come, which may be late."""
        model = self.chosen(number)
        if model is None:
            return
        id = f"dp_{model.row.pk.hex}"
        cents, was = model.disputes.get(id, (cents, ""))
        self.tell(dispute(model.row, cents, id=id, status=status))
        if not was or RANKS[status] > RANKS[was]:
            model.disputes[id] = (cents, status)

    def tell(self, thing: dict[str, Any]) -> None:
        body = event("something", thing)
        assert message_book("test", read_message(body)) == "booked"
        assert message_book("test", read_message(body)) == "repeated"
        # Another message about the same object in the same state.
        message_book("test", read_message(event("something.else", thing)))

    @invariant()
    def the_sums_are_those_of_the_model(self) -> None:
        found = balance_of(self.invoice)
        assert found == sums_of(self.invoice)
        assert {name: int(value * 100) for name, value in found.items()} == {
            "credited": self.credited,
            "paid": sum(each.received for each in self.payments),
            "refunded": sum(each.refunded for each in self.payments),
            "charged_back": sum(each.taken for each in self.payments),
        }
        received = sum(each.received - each.refunded - each.taken for each in self.payments)
        status = "open" if received <= 0 else "partially_paid"
        if received >= TOTAL - self.credited:
            status = "paid"
        assert Balance.objects.get(document=self.invoice).status == status


def test_the_money_adds_up(customer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)
    Money.customer = customer
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=12,
            stateful_step_count=16,
            deadline=None,
            derandomize=True,
            database=None,
            # Shrinking a failure would take minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
