"""What was credited of an invoice so far."""

from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q, Sum

from billing.credits.shares import Credited, SoFar
from billing.invoices.models import Document, Line, Tax

_COST = F("gross") - F("discount")


def so_far_of(invoice_id: UUID) -> SoFar:
    """Return what the credit notes of an invoice have credited.

    Whoever adds to it holds the lock of the invoice's balance.
    """
    lines = (
        Line.objects.filter(document__corrects=invoice_id)
        .order_by()
        .values_list("credits__position")
        .annotate(
            pieces=Sum("quantity"),
            cost=Sum(_COST),
            # A line that credits an amount has no pieces.
            by_amount=Sum(_COST, filter=Q(quantity=0), default=Decimal(0)),
            without_tax=Sum("net"),
        )
    )
    taxes = (
        Tax.objects.filter(document__corrects=invoice_id)
        .order_by()
        .values_list("category", "rate")
        .annotate(Sum("tax"))
    )
    return SoFar(
        lines={position: Credited(*sums) for position, *sums in lines},
        taxes={(category, rate): tax for category, rate, tax in taxes},
    )


def last_credit_note(invoice_id: UUID) -> Document | None:
    """Return the credit note of an invoice that was issued last."""
    return Document.objects.filter(corrects=invoice_id).order_by("-issued_at", "-id").first()
