"""Credit notes and voids of issued invoices."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from billing.content import content_of
from billing.credits.services import RefundFirst, credit_note_create, invoice_void
from billing.credits.shares import Asked, ExceedsInvoice
from billing.invoices.models import Balance, Claim, Document, Entry
from billing.payments.entries import enter
from billing.tests.conftest import Api

pytestmark = pytest.mark.django_db
D = Decimal


def test_a_credit_note_by_service(issue: Callable[..., Document], finance: Api) -> None:
    invoice = issue()
    note = credit_note_create(
        actor=finance.user, invoice=invoice, lines=[Asked(1, quantity=1)], reason="broken"
    )
    note.refresh_from_db()
    assert (note.kind, note.label[:3], note.corrects_id) == ("credit_note", "CN-", invoice.pk)
    assert note.total == D("8.99")
    content = content_of(note.canonical)
    assert content.corrects
    assert content.corrects.number == invoice.label
    assert content.body.lines[0].credits == 1
    balance = Balance.objects.get(pk=invoice.pk)
    assert (balance.credited, balance.status) == (D("8.99"), "open")
    with pytest.raises(ExceedsInvoice):
        credit_note_create(
            actor=finance.user, invoice=invoice, lines=[Asked(1, quantity=3)], reason="more"
        )
    with transaction.atomic():
        enter(invoice.pk, Entry.Kind.PAID, uuid4(), D("10.00"))
    with pytest.raises(RefundFirst):
        invoice_void(actor=finance.user, invoice=invoice, reason="wrong")
    with transaction.atomic():
        enter(invoice.pk, Entry.Kind.REFUNDED, uuid4(), D("10.00"))
    Claim.objects.create(purchase=uuid4(), document=invoice)
    first = invoice_void(actor=finance.user, invoice=invoice, reason="wrong")
    again = invoice_void(actor=finance.user, invoice=invoice, reason="wrong")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.note.pk == again.note.pk
    assert first.note.total == D("17.98")
    balance.refresh_from_db()
    assert (balance.credited, balance.status) == (invoice.total, "void")
    assert not Claim.objects.exists()
