"""Credits of bank statements, for whoever sees everybody's payments."""

from uuid import UUID

from django.db.models import Q, QuerySet

from billing.invoices.models import Document, Draft, Kind
from billing.invoices.selectors import key_of
from billing.payments.bank_statements.models import BankCredit
from billing.payments.errors import NotIssued
from shop.core.errors import FieldError, NotFound, ValidationFailed


def credits(status: str = "") -> QuerySet[BankCredit]:
    """Return credits with what they were booked as. Raise ``ValidationFailed``."""
    rows = BankCredit.objects.select_related("payment__document").defer(
        "payment__document__canonical"
    )
    if not status:
        return rows
    if status not in BankCredit.Status.values:
        detail = f"Give one of {', '.join(BankCredit.Status.values)}."
        raise ValidationFailed([FieldError("invalid_choice", detail, "status")])
    return rows.filter(status=status)


def credit_of(id: str | UUID) -> BankCredit:
    """Return one credit. Raise ``NotFound``."""
    found = credits().filter(pk=id if isinstance(id, UUID) else key_of(id)).first()
    if found is None:
        raise NotFound()
    return found


def invoice_named(text: str) -> Document:
    """Return the invoice with this id or number. Raise ``ValidationFailed`` and ``NotIssued``."""
    text = text.strip()
    named = Q(label=text.upper())
    try:
        key = UUID(text)
    except ValueError:
        pass
    else:
        named |= Q(pk=key)
        if Draft.objects.filter(pk=key).exists():
            raise NotIssued()
    found = Document.objects.defer("canonical").filter(named, kind=Kind.INVOICE).first()
    if found is None:
        detail = "There is no invoice with this number."
        raise ValidationFailed([FieldError("does_not_exist", detail, "invoice")])
    return found
