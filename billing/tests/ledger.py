"""Invoices for tests that are not about issuing them, and the sums that a balance must have."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from accounts.models import User
from billing.content import Body, Buyer, ContentLine, ContentTax
from billing.invoices.issuing import issue_document
from billing.invoices.models import Balance, Document, Entry
from billing.payments.checks import CHECKS

SUMS = ("credited", "paid", "refunded", "charged_back")
_MOVES = {
    "credited": ("credited", 1),
    "paid": ("paid", 1),
    "payment_reversed": ("paid", -1),
    "refunded": ("refunded", 1),
    "refund_reversed": ("refunded", -1),
    "charged_back": ("charged_back", 1),
    "chargeback_reversed": ("charged_back", -1),
}


@transaction.atomic
def make_invoice(
    customer: User, total: str = "100.00", *, currency: str = "EUR", exponent: int = 2
) -> Document:
    """Return an issued invoice over this total, without tax."""
    amount = Decimal(total)
    line = ContentLine(
        position=1,
        purchase=uuid4(),
        text="book",
        quantity=1,
        price=amount,
        gross=amount,
        discount=Decimal("0.00"),
        net=amount,
        tax_category="O",
        tax_rate=Decimal("0.00"),
        supplied_on=date(2026, 4, 1),
    )
    body = Body(
        currency=currency,
        exponent=exponent,
        prices_include_tax=True,
        lines=[line],
        discounts=[],
        taxes=[ContentTax(category="O", rate=Decimal("0.00"), net=amount, tax=Decimal("0.00"))],
        net=amount,
        tax=Decimal("0.00"),
        total=amount,
    )
    return issue_document(
        kind="invoice",
        id=uuid4(),
        customer_id=customer.pk,
        actor_id=customer.pk,
        body=body,
        buyer=Buyer(name="Joe Doe"),
        due_days=14,
    )


def sums_of(document: Document) -> dict[str, Decimal]:
    """Return what a balance must say, from its entries alone."""
    sums = dict.fromkeys(SUMS, Decimal(0))
    for entry in Entry.objects.filter(document=document).exclude(kind="issued"):
        name, sign = _MOVES[entry.kind]
        sums[name] += sign * entry.amount
    return sums


def balance_of(document: Document) -> dict[str, Decimal]:
    """Return what the balance says."""
    balance = Balance.objects.get(document=document)
    return {name: getattr(balance, name) for name in SUMS}


def broken() -> list[str]:
    """Return what the checks of payments, refunds and chargebacks find."""
    return [
        f"{check.what}: {each}" for check in CHECKS for each in check.find_broken(lambda text: None)
    ]
