"""Invoices for tests that are not about issuing them, and the sums that a balance must have."""

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from billing.content import chained
from billing.invoices.models import FIRST_PREVIOUS, Balance, Document, Entry, Series
from billing.payments.entries import enter

SUMS = ("credited", "paid", "refunded", "charged_back")


@transaction.atomic
def make_invoice(
    customer: User, total: str = "100.00", *, currency: str = "EUR", exponent: int = 2
) -> Document:
    """Return an issued invoice over this total, with its balance and its first entry."""
    series, _made = Series.objects.get_or_create(
        code="INV-2026", defaults={"kind": "invoice", "year": 2026}
    )
    previous = bytes(series.last_hash) if series.next_number > 1 else FIRST_PREVIOUS
    canonical = f"document {series.next_number}".encode()
    document = Document.objects.create(
        series=series,
        number=series.next_number,
        label=f"INV-2026-{series.next_number:06}",
        kind="invoice",
        customer=customer,
        issued_by=customer,
        currency=currency,
        exponent=exponent,
        issued_on=date(2026, 5, 1),
        due_on=date(2026, 5, 15),
        prices_include_tax=True,
        net=Decimal(total),
        tax=0,
        total=Decimal(total),
        canonical=canonical,
        previous_hash=previous,
        hash=chained(previous, canonical),
    )
    series.next_number += 1
    series.last_hash = document.hash
    series.save()
    Balance.objects.create(
        document=document,
        customer=customer,
        currency=currency,
        due_on=document.due_on,
        total=document.total,
    )
    enter(document.pk, Entry.Kind.ISSUED, document.pk, document.total)
    return document


def sums_of(document: Document) -> dict[str, Decimal]:
    """Return what a balance must say, from its entries alone."""
    signs = {
        "credited": ("credited", 1),
        "paid": ("paid", 1),
        "payment_reversed": ("paid", -1),
        "refunded": ("refunded", 1),
        "refund_reversed": ("refunded", -1),
        "charged_back": ("charged_back", 1),
        "chargeback_reversed": ("charged_back", -1),
    }
    sums = dict.fromkeys(SUMS, Decimal(0))
    for entry in Entry.objects.filter(document=document).exclude(kind="issued"):
        name, sign = signs[entry.kind]
        sums[name] += sign * entry.amount
    return sums


def balance_of(document: Document) -> dict[str, Decimal]:
    """Return what the balance says."""
    balance = Balance.objects.get(document=document)
    return {
        name: getattr(balance, name) for name in ("credited", "paid", "refunded", "charged_back")
    }
