"""The database itself refuses gaps, broken chains and changes."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from accounts.models import User
from billing.content import chained
from billing.invoices.models import FIRST_PREVIOUS, Document, Series

pytestmark = pytest.mark.django_db


def _document(customer: User, number: int, previous: Any, **changed: Any) -> Document:
    canonical = f"document {number}".encode()
    values = {
        "series_id": "INV-2026",
        "number": number,
        "label": f"INV-2026-{number:06}",
        "kind": "invoice",
        "customer": customer,
        "issued_by": customer,
        "currency": "EUR",
        "exponent": 2,
        "issued_on": "2026-05-01",
        "prices_include_tax": True,
        "net": 1,
        "tax": 0,
        "total": 1,
        "canonical": canonical,
        "previous_hash": previous,
        "hash": chained(previous, canonical),
    }
    return Document.objects.create(**{**values, **changed})


@pytest.fixture
def customer() -> User:
    Series.objects.create(code="INV-2026", kind="invoice", year=2026)
    return User.objects.create_user("joe", userid="005")


def test_a_chain_grows_by_its_next_number_only(customer: User) -> None:
    first = _document(customer, 1, FIRST_PREVIOUS)
    _document(customer, 2, first.hash)
    with pytest.raises(DatabaseError, match="billing_previous"):
        _document(customer, 4, first.hash)


@pytest.mark.parametrize(
    ("number", "previous", "changed", "constraint"),
    [
        (1, b"x" * 32, {}, "billing_first"),
        (1, FIRST_PREVIOUS, {"hash": b"x" * 32}, "billing_hash"),
        (1, FIRST_PREVIOUS, {"total": 2}, "billing_total"),
        (1, FIRST_PREVIOUS, {"exponent": 0, "net": "0.5", "tax": "0.5"}, "billing_exponent"),
        (1, FIRST_PREVIOUS, {"kind": "credit_note"}, "billing_corrects"),
    ],
)
def test_a_broken_document_is_refused(
    customer: User, number: int, previous: Any, changed: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(DatabaseError, match=constraint):
        _document(customer, number, previous, **changed)


def test_nobody_changes_or_deletes_a_document(customer: User) -> None:
    document = _document(customer, 1, FIRST_PREVIOUS)
    for change in (
        lambda: Document.objects.update(total=2, net=2),
        lambda: Document.objects.filter(pk=document.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="only added"), transaction.atomic():
            change()
