"""The one function that adds documents."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest
from django.utils import timezone

from audit.models import Waiting
from billing.content import chained, content_of
from billing.invoices.models import FIRST_PREVIOUS, Document, Line, Series
from billing.parties.sealed import opened
from billing.tests.conftest import Issue, body_of
from events.models import Outbox

pytestmark = pytest.mark.django_db


def test_an_invoice_is_numbered_chained_sealed_and_told(issue: Issue) -> None:
    body = body_of()
    first, second = issue(body), issue()
    year = timezone.now().year
    assert [first.label, second.label] == [f"INV-{year}-000001", f"INV-{year}-000002"]
    stored = Document.objects.get(pk=first.pk)
    content = content_of(stored.canonical)
    assert content.body == body
    assert content.due_on == content.issued_on + timedelta(days=14)
    assert bytes(stored.previous_hash) == FIRST_PREVIOUS
    assert bytes(stored.hash) == chained(FIRST_PREVIOUS, bytes(stored.canonical))
    assert bytes(Document.objects.get(pk=second.pk).previous_hash) == first.hash
    buyer, digest = opened(stored.party)
    assert (buyer.name, digest) == ("Joe Doe", content.buyer)
    assert b"Joe" not in bytes(stored.canonical)
    assert stored.balance.status == "open"
    assert [each.amount for each in stored.entries.all()] == [Decimal("26.97")]
    assert stored.lines.get().purchase == body.lines[0].purchase
    assert stored.taxes.get().tax == Decimal("4.31")
    assert [event.type for event in Outbox.objects.all()] == [20, 20]
    assert Waiting.objects.filter(action="invoice.issued").count() == 2


def test_a_credit_note_has_a_series_of_its_own_and_names_the_invoice(issue: Issue) -> None:
    invoice = issue()
    line = body_of().lines[0]
    body = body_of(lines=[msgspec.structs.replace(line, credits=1)])
    note = issue(body, kind="credit_note", corrects=invoice, reason="broken", due_days=None)
    assert note.label.startswith("CN-")
    assert note.label.endswith("-000001")
    content = content_of(Document.objects.get(pk=note.pk).canonical)
    assert content.corrects is not None
    assert (content.corrects.number, content.reason) == (invoice.label, "broken")
    assert Line.objects.get(document=note).credits == invoice.lines.get()
    assert not hasattr(Document.objects.get(pk=note.pk), "balance")


def test_nothing_to_pay_is_paid_at_once(issue: Issue) -> None:
    invoice = issue(body_of("0.00", "0.00"))
    assert Document.objects.get(pk=invoice.pk).balance.status == "paid"
    assert [event.type for event in Outbox.objects.order_by("pk")] == [20, 21]


def test_the_day_of_a_series_never_goes_back(issue: Issue) -> None:
    ahead = issue().issued_on + timedelta(days=1)
    Series.objects.update(last_issued_on=ahead)
    assert issue().issued_on == ahead


def test_a_new_generation_begins_at_one(issue: Issue) -> None:
    year = issue().issued_on.year
    Series.objects.create(code=f"INV-{year}-R1", kind="invoice", year=year, generation=1)
    assert issue(id=uuid4()).label == f"INV-{year}-R1-000001"
