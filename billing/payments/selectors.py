"""Which payments, refunds and chargebacks an account sees. Outsiders get ``NotFound``."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import DecimalField, Exists, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from accounts.access import check
from accounts.models import User
from accounts.permissions import Permission
from billing.invoices.models import Document, Draft
from billing.invoices.selectors import key_of, reaches_all, sees_all
from billing.payments.errors import NotIssued
from billing.payments.models import Chargeback, Movement, Payment, Refund
from shop.core.errors import FieldError, NotFound, ValidationFailed

M = TypeVar("M", bound=Movement)
_MONEY: Any = DecimalField(max_digits=24, decimal_places=2)
_TAKEN = (Chargeback.Status.OPENED, Chargeback.Status.LOST)


def invoice_to_pay(user: User, id: str) -> Document:
    """Return an issued invoice that the account may pay: its own, or any for staff.

    Raise ``NotFound``, ``NotIssued`` for a draft, and ``Forbidden`` for who only reads everybody's.
    """
    key = key_of(id)
    invoice = Document.objects.defer("canonical").filter(pk=key, kind=Document.Kind.INVOICE).first()
    if invoice is None:
        if reaches_all(user) and Draft.objects.filter(pk=key).exists():
            raise NotIssued()
        raise NotFound()
    if invoice.customer_id != user.pk:
        if not reaches_all(user):
            raise NotFound()
        check(user.permissions, Permission.BILLING_WRITE_ALL)
    return invoice


def _sum(rows: QuerySet[Any]) -> Any:
    total = rows.order_by().values("payment").annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(total, output_field=_MONEY), Value(Decimal(0)), output_field=_MONEY)


def _payments() -> QuerySet[Payment]:
    """Return payments with what went back of each: ``refunded``, ``charged_back``, ``disputed``."""
    refunds = Refund.objects.filter(payment=OuterRef("pk")).exclude(status=Refund.Status.FAILED)
    chargebacks = Chargeback.objects.filter(payment=OuterRef("pk"))
    return Payment.objects.annotate(
        refunded=_sum(refunds),
        charged_back=_sum(chargebacks.filter(status__in=_TAKEN)),
        disputed=Exists(chargebacks.filter(status=Chargeback.Status.OPENED)),
    )


def _all(user: User, *, everybodys: bool) -> dict[str, QuerySet[Any]]:
    def seen(rows: QuerySet[M]) -> QuerySet[M]:
        rows = rows.select_related("customer", "document").defer("document__canonical")
        return rows if everybodys else rows.filter(customer=user)

    return {
        "payments": seen(_payments()),
        "refunds": seen(Refund.objects.all()),
        "chargebacks": seen(Chargeback.objects.all()),
    }


def movement_of(user: User, kind: str, id: str | UUID) -> Any:
    """Return one of ``payments``, ``refunds`` or ``chargebacks``. Raise ``NotFound``."""
    key = id if isinstance(id, UUID) else key_of(id)
    found = _all(user, everybodys=reaches_all(user))[kind].filter(pk=key).first()
    if found is None:
        raise NotFound()
    return found


def movements_for(user: User, kind: str, query: Mapping[str, str]) -> QuerySet[Any]:
    """Return a list of ``payments``, ``refunds`` or ``chargebacks``, narrowed by a query.

    ``status``, ``invoice`` and, for who sees everybody's, ``username``. Raise ``ValidationFailed``.
    """
    rows = _all(user, everybodys=sees_all(user))[kind]
    statuses = rows.model.Status.values
    if status := query.get("status", ""):
        if status not in statuses:
            detail = f"Give one of {', '.join(statuses)}."
            raise ValidationFailed([FieldError("invalid_choice", detail, "status")])
        rows = rows.filter(status=status)
    if (invoice := query.get("invoice")) is not None:
        try:
            rows = rows.filter(document=UUID(invoice))
        except ValueError:
            detail = "Give the id of an invoice."
            raise ValidationFailed([FieldError("invalid", detail, "invoice")]) from None
    if username := query.get("username", "").replace("\0", ""):
        named = User.objects.named(username[:200]).values_list("pk", flat=True)[:1]
        rows = rows.filter(customer__in=list(named))
    return rows


def excess_of(document_ids: Iterable[UUID]) -> set[UUID]:
    """Return the invoices of which more of a payment went back than came."""
    payments = _payments().filter(document__in=list(document_ids))
    return {
        payment.document_id
        for payment in payments.filter(Q(refunded__gt=0) | Q(charged_back__gt=0))
        if excess(payment) > 0
    }


def excess(payment: Any) -> Decimal:
    """Return how much more of a payment went back than came."""
    gone: Decimal = payment.refunded + payment.charged_back - payment.received
    return max(gone, Decimal(0))


def timeline_of(document_id: UUID) -> list[Movement]:
    """Return the payments, refunds and chargebacks of an invoice, oldest first."""
    rows: list[Movement] = [
        *_payments().filter(document=document_id),
        *Refund.objects.filter(document=document_id),
        *Chargeback.objects.filter(document=document_id),
    ]
    return sorted(rows, key=lambda row: row.pk)
