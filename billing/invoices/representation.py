"""Drafts and documents as the API shows them. Amounts are decimal strings."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Sum

from billing.content import Body, content_of
from billing.invoices.drafts import composed_of, due_days_of
from billing.invoices.flags import DISPUTED, flags_of, sums_of
from billing.invoices.models import Balance, Document, Draft, Kind, Line
from billing.money import Sums
from shop.core.times import iso


def invoice_data(row: Draft | Document) -> dict[str, Any]:
    """Return a whole draft or invoice, with its lines. A document needs its ``balance``."""
    (data,) = listed_data([row])
    if isinstance(row, Draft):
        body = composed_of(row).body
        return {**data, **body_data(body, {}), "due_days": due_days_of(row)}
    return {
        **data,
        **body_data(content_of(row.canonical).body, _credited(row.pk)),
        "credit_notes": [
            {"id": str(id), "number": number, "total": str(total)}
            for id, number, total in row.credit_notes.order_by("pk").values_list(
                "pk", "label", "total"
            )
        ],
    }


def issued_data(invoice: Document) -> dict[str, Any]:
    """Return an invoice that was issued a moment ago, so nothing has moved it. No query."""
    body = content_of(invoice.canonical).body
    return {**_document(invoice, []), **body_data(body, {}), "credit_notes": []}


def credit_note_data(document: Document) -> dict[str, Any]:
    """Return a whole credit note, with its lines. It needs its ``corrects``."""
    (data,) = listed_data([document])
    content = content_of(document.canonical)
    return {**data, **body_data(content.body, None), "reason": content.reason}


def listed_data(rows: Sequence[Draft | Document]) -> list[dict[str, Any]]:
    """Return drafts and documents as lists show them: without lines, discounts and taxes.

    The rows need their ``customer``, a credit note its ``corrects``, an invoice its ``balance``.
    """
    balances = [
        row.balance for row in rows if isinstance(row, Document) and row.kind == Kind.INVOICE
    ]
    flags = flags_of(balances) if balances else {}
    return [
        _draft(row) if isinstance(row, Draft) else _document(row, flags.get(row.pk, []))
        for row in rows
    ]


def body_data(body: Body, credited: Mapping[int, int] | None) -> dict[str, Any]:
    """Return lines, discounts and taxes. ``credited`` are the quantities of an invoice's lines."""
    lines = []
    for line in body.lines:
        data = {
            "position": line.position,
            "purchase": line.purchase and str(line.purchase),
            "text": line.text,
            "quantity": line.quantity,
            "price": str(line.price),
            "gross": str(line.gross),
            "discount": str(line.discount),
            "net": str(line.net),
            "tax_category": line.tax_category,
            "tax_rate": str(line.tax_rate),
            "supplied_on": line.supplied_on and line.supplied_on.isoformat(),
        }
        if credited is None:
            data["credits"] = line.credits
        else:
            data["credited_quantity"] = credited.get(line.position, 0)
        lines.append(data)
    return {
        "lines": lines,
        "discounts": [
            {
                "coupon": discount.coupon,
                "reason": discount.reason,
                "percent": None if discount.percent is None else f"{discount.percent:.2f}",
                "amount": str(discount.amount),
                "lines": discount.lines,
            }
            for discount in body.discounts
        ],
        "taxes": [
            {
                "category": tax.category,
                "rate": str(tax.rate),
                "net": str(tax.net),
                "tax": str(tax.tax),
            }
            for tax in body.taxes
        ],
    }


def _draft(draft: Draft) -> dict[str, Any]:
    body = draft.content["body"]
    data = {
        "id": str(draft.pk),
        "kind": Kind.INVOICE.value,
        "status": "draft",
        "number": None,
        "username": draft.customer.username,
        "userid": draft.customer.userid,
        "currency": draft.currency,
        "prices_include_tax": body["prices_include_tax"],
        "issued_on": None,
        "issued_at": None,
        "due_on": None,
        "net": body["net"],
        "tax": body["tax"],
        "total": body["total"],
    }
    return {**data, **_sums(Sums(Decimal(body["total"])), int(body["exponent"]), [])}


def _document(document: Document, flags: Sequence[str]) -> dict[str, Any]:
    exponent = document.exponent

    def shown(value: Decimal) -> str:
        return f"{value:.{exponent}f}"

    data: dict[str, Any] = {
        "id": str(document.pk),
        "kind": document.kind,
        "status": "issued",
        "number": document.label,
        "username": document.customer.username,
        "userid": document.customer.userid,
        "currency": document.currency,
        "prices_include_tax": document.prices_include_tax,
        "issued_on": document.issued_on.isoformat(),
        "issued_at": iso(document.issued_at),
        "due_on": document.due_on and document.due_on.isoformat(),
        "net": shown(document.net),
        "tax": shown(document.tax),
        "total": shown(document.total),
    }
    corrects = document.corrects
    if corrects is not None:
        data["corrects"] = {"id": str(corrects.pk), "number": corrects.label}
    else:
        balance: Balance = document.balance
        data["status"] = balance.status
        data |= _sums(sums_of(balance), exponent, flags)
    return {**data, "hash": f"sha256:{bytes(document.hash).hex()}"}


def _sums(sums: Sums, exponent: int, flags: Sequence[str]) -> dict[str, Any]:
    amounts = {
        "credited": sums.credited,
        "paid": sums.paid,
        "refunded": sums.refunded,
        "charged_back": sums.charged_back,
        "due": sums.due,
        "overpaid": sums.overpaid,
    }
    return {
        **{name: f"{amount:.{exponent}f}" for name, amount in amounts.items()},
        "disputed": DISPUTED in flags,
        "attention": list(flags),
        "corrects": None,
        "hash": None,
    }


def _credited(invoice: UUID) -> dict[int, int]:
    """Return the quantity of each line of an invoice that was credited, by position."""
    credited: Iterable[tuple[int, int]] = (
        Line.objects.filter(credits__document=invoice)
        .values_list("credits__position")
        .annotate(quantity=Sum("quantity"))
    )
    return dict(credited)
