"""Which drafts and documents an account sees, and how lists of them are filtered.

Customers see what was issued to them. Drafts are seen only by whoever sees everybody's invoices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.permissions import Permission, allows
from billing.invoices.models import LABEL_MAX_LENGTH, Balance, Document, Draft, Kind
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.site_settings.general import site_zone

DRAFT = "draft"
STATUSES = (DRAFT, *Balance.Status.values)


def sees_all(user: User) -> bool:
    """Return whether an account sees everybody's invoices, and drafts."""
    return allows(user.permissions, Permission.BILLING_READ_ALL)


def reaches_all(user: User) -> bool:
    """Return whether an account reaches everybody's single documents: it reads or writes them."""
    return sees_all(user) or allows(user.permissions, Permission.BILLING_WRITE_ALL)


def key_of(id: str) -> UUID:
    """Return the key in an address. Raise ``NotFound``."""
    try:
        return UUID(id)
    except ValueError:
        raise NotFound() from None


def document_of(user: User, id: str | UUID, kind: str) -> Document:
    """Return the issued document, with its customer and balance. Raise ``NotFound``."""
    key = id if isinstance(id, UUID) else key_of(id)
    document = (
        Document.objects.select_related("customer", "balance", "corrects")
        .filter(pk=key, kind=kind)
        .first()
    )
    if document is None or not (document.customer_id == user.pk or reaches_all(user)):
        raise NotFound()
    return document


def invoice_of(user: User, id: str | UUID) -> Draft | Document:
    """Return the draft or invoice with this id. Raise ``NotFound``."""
    key = id if isinstance(id, UUID) else key_of(id)
    if reaches_all(user):
        draft = Draft.objects.select_related("customer").filter(pk=key).first()
        if draft is not None:
            return draft
    return document_of(user, key, Kind.INVOICE)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; ``since`` and ``until`` are days of issue, both inclusive."""

    status: str = ""
    since: date | None = None
    until: date | None = None
    number: str = ""
    username: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """Return the filters of a query. Raise ``ValidationFailed``, which names each fault."""
        errors = []
        days: dict[str, date | None] = {}
        for name in ("since", "until"):
            text = query.get(name)
            try:
                days[name] = None if text is None else date.fromisoformat(text)
            except ValueError:
                errors.append(FieldError("invalid", "Give a day such as 2026-05-31.", name))
        status = query.get("status", "")
        if status and status not in STATUSES:
            detail = f"Give one of {', '.join(STATUSES)}."
            errors.append(FieldError("invalid_choice", detail, "status"))
        number, username = query.get("number", ""), query.get("username", "")
        for name, text, most in (("number", number, LABEL_MAX_LENGTH), ("username", username, 200)):
            if len(text) > most or "\0" in text:
                detail = f"Ensure this field has no more than {most} characters."
                errors.append(FieldError("max_length", detail, name))
        if errors:
            raise ValidationFailed(errors)
        return cls(status, days["since"], days["until"], number.strip().upper(), username)


def invoices_for(user: User, filters: Filters) -> list[QuerySet[Any]]:
    """Return the parts of a list of drafts and invoices, for ``paginate_keys``."""
    customer = _customer(user, filters)
    parts: list[QuerySet[Any]] = []
    if sees_all(user) and filters.status in ("", DRAFT) and not filters.number:
        drafts = Draft.objects.select_related("customer")
        if customer is not None:
            drafts = drafts.filter(customer__in=customer)
        if filters.since:
            drafts = drafts.filter(created_at__gte=_begin(filters.since))
        if filters.until:
            drafts = drafts.filter(created_at__lt=_end(filters.until))
        parts.append(drafts)
    if filters.status != DRAFT:
        balances = Balance.objects.select_related("document__customer").defer("document__canonical")
        if customer is not None:
            balances = balances.filter(customer__in=customer)
        if filters.status:
            balances = balances.filter(status=filters.status)
        parts.append(_dated(balances, filters, "document__"))
    return parts


def credit_notes_for(user: User, filters: Filters) -> list[QuerySet[Any]]:
    """Return the parts of a list of credit notes, for ``paginate_keys``."""
    customer = _customer(user, filters)
    notes = Document.objects.filter(kind=Kind.CREDIT_NOTE).select_related("customer", "corrects")
    if customer is not None:
        notes = notes.filter(customer__in=customer)
    return [_dated(notes.defer("canonical", "corrects__canonical"), filters)]


def rows_of(items: list[Any]) -> list[Draft | Document]:
    """Return the drafts and documents of a page; a balance stands for its invoice."""
    rows = []
    for item in items:
        if isinstance(item, Balance):
            item.document.balance = item
            item = item.document
        rows.append(item)
    return rows


def _customer(user: User, filters: Filters) -> list[int] | None:
    """Return the accounts that a list is about; ``None`` for all. A filter never widens it."""
    own = None if sees_all(user) else {user.pk}
    if not filters.username:
        return None if own is None else sorted(own)
    named = {*User.objects.named(filters.username).values_list("pk", flat=True)[:1]}
    return sorted(named if own is None else named & own)


def _dated(rows: QuerySet[Any], filters: Filters, prefix: str = "") -> QuerySet[Any]:
    conditions = {
        "issued_on__gte": filters.since,
        "issued_on__lte": filters.until,
        "label": filters.number,
    }
    return rows.filter(**{f"{prefix}{name}": value for name, value in conditions.items() if value})


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=site_zone())


def _end(day: date) -> datetime:
    return _begin(day) + timedelta(days=1) if day < date.max else _begin(day)
