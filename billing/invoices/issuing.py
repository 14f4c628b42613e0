"""Issuing: the only code that adds documents.

The place in the series is taken last, when everything else is built, because everybody waits for
whoever holds it.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.services import record
from billing import events
from billing.content import Body, Buyer, Content, Corrected, canonical, chained
from billing.invoices.models import Balance, Document, Kind
from billing.invoices.series import next_place
from billing.parties.models import COLUMN
from billing.parties.sealed import digest_of
from billing.parties.seller import seller
from events.services import emit_all
from purchases.sql import array, text_array
from shop.core.database import execute_prepared, one_round_trip
from shop.core.sealing import seal

_ISSUED = {Kind.INVOICE: "invoice.issued", Kind.CREDIT_NOTE: "creditnote.issued"}
_INSERT = """
WITH added AS (
    INSERT INTO billing_document (id, series, number, label, kind, corrects_id, customer_id,
        issued_by_id, currency, exponent, issued_on, issued_at, due_on, prices_include_tax, net,
        tax, total, canonical, previous_hash, hash)
    SELECT id, %(series)s, number, label, %(kind)s, corrects, customer, actor, currency, exponent,
           %(issued_on)s, %(issued_at)s, due_on, include_tax, net, tax, total,
           decode(canonical, 'hex'), decode(previous, 'hex'), decode(hash, 'hex')
      FROM unnest(%(id)s::uuid[], %(number)s::int[], %(label)s::text[], %(corrects)s::uuid[],
           %(customer)s::bigint[], %(actor)s::bigint[], %(currency)s::text[], %(exponent)s::int[],
           %(due_on)s::date[], %(include_tax)s::bool[], %(net)s::numeric[], %(tax)s::numeric[],
           %(total)s::numeric[], string_to_array(%(canonical)s, ','),
           string_to_array(%(previous)s, ','), string_to_array(%(hash)s, ','))
           AS t (id, number, label, corrects, customer, actor, currency, exponent, due_on,
                 include_tax, net, tax, total, canonical, previous, hash)
), lines AS (
    INSERT INTO billing_line (document_id, position, purchase, text, quantity, price, gross,
        discount, net, tax_category, tax_rate, credits_id)
    SELECT t.document, t.position, t.purchase, t.text, t.quantity, t.price, t.gross, t.discount,
           t.net, t.category, t.rate, credited.id
      FROM unnest(%(l_document)s::uuid[], %(l_position)s::int[], %(l_purchase)s::uuid[],
           %(l_text)s::text[], %(l_quantity)s::int[], %(l_price)s::numeric[],
           %(l_gross)s::numeric[], %(l_discount)s::numeric[], %(l_net)s::numeric[],
           %(l_category)s::text[], %(l_rate)s::numeric[], %(l_corrects)s::uuid[],
           %(l_credits)s::int[])
           AS t (document, position, purchase, text, quantity, price, gross, discount, net,
                 category, rate, corrects, credits)
      LEFT JOIN billing_line AS credited
        ON credited.document_id = t.corrects AND credited.position = t.credits
), taxes AS (
    INSERT INTO billing_tax (document_id, category, rate, net, tax)
    SELECT * FROM unnest(%(t_document)s::uuid[], %(t_category)s::text[], %(t_rate)s::numeric[],
           %(t_net)s::numeric[], %(t_tax)s::numeric[])
), parties AS (
    INSERT INTO billing_party (document_id, account_id, sealed)
    SELECT * FROM unnest(%(id)s::uuid[], %(customer)s::bigint[], %(sealed)s::text[])
), balances AS (
    INSERT INTO billing_balance (document_id, customer_id, status, currency, due_on, total,
        credited, paid, refunded, charged_back)
    SELECT id, customer, status, currency, due_on, total, 0, 0, 0, 0
      FROM unnest(%(id)s::uuid[], %(customer)s::bigint[], %(status)s::text[],
           %(currency)s::text[], %(due_on)s::date[], %(total)s::numeric[])
           AS t (id, customer, status, currency, due_on, total)
     WHERE %(kind)s = 'invoice'
), entries AS (
    INSERT INTO billing_entry (document_id, kind, source, amount, at)
    SELECT id, 'issued', id, total, %(issued_at)s
      FROM unnest(%(id)s::uuid[], %(total)s::numeric[]) AS t (id, total)
     WHERE %(kind)s = 'invoice'
)
UPDATE billing_series SET next_number = %(next)s, last_hash = %(last)s,
       last_issued_on = %(issued_on)s
 WHERE code = %(series)s
"""


@dataclass(frozen=True, slots=True)
class Order:
    """A document to issue. A credit note corrects an invoice, and only an invoice has due days."""

    id: UUID
    customer_id: int
    actor_id: int
    body: Body
    buyer: Buyer
    due_days: int | None = None
    corrects: Document | None = None
    reason: str = ""
    _salt: str = field(default_factory=lambda: secrets.token_hex(16))

    def sealed_buyer(self) -> tuple[str, str]:
        """Return the digest of the salted buyer, and the buyer with the salt, sealed."""
        text, digest = digest_of(self.buyer, self._salt)
        return digest, seal(text, account=self.customer_id, column=COLUMN)


def issue_document(
    *,
    kind: str,
    id: UUID,
    customer_id: int,
    actor_id: int,
    body: Body,
    buyer: Buyer,
    due_days: int | None = None,
    corrects: Document | None = None,
    reason: str = "",
    action: str = "",
) -> Document:
    """Issue a document as the last step of the caller's transaction; return it, with its balance.

    It takes the series' lock, and adds the document, its lines and taxes, its sealed party, for an
    invoice its balance and first entry, the event, and the entry of the audit. ``action`` is that
    of the audit, if it is not ``invoice.issued`` or ``creditnote.issued``. Such an action is done
    to the invoice that the document corrects.
    """
    order = Order(id, customer_id, actor_id, body, buyer, due_days, corrects, reason)
    # Everybody waits for whoever holds the series, so nothing is waited for in between.
    with one_round_trip():
        (document,) = issue_documents(kind, [order])
        record(
            action or _ISSUED[Kind(kind)],
            object=f"{Kind.INVOICE}:{corrects.pk}" if action and corrects else f"{kind}:{id}",
            actor_id=actor_id,
            account_id=customer_id,
            after={
                "number": document.label,
                "total": str(document.total),
                "currency": document.currency,
                **({kind: str(id)} if action else {}),
                **({"corrects": str(corrects.pk)} if corrects else {}),
                **({"reason": reason} if reason else {}),
            },
        )
    if kind == Kind.INVOICE:
        document.balance = _balance_of(document)
    return document


def issue_documents(kind: str, orders: Sequence[Order]) -> list[Document]:
    """Issue documents of one kind under one lock of their series; return them in their order.

    The caller records what it does in the audit.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Issuing needs a transaction.")
    shop = seller()
    # Whatever can be built is built before anybody has to wait.
    parties = [order.sealed_buyer() for order in orders]
    columns = _columns_of(orders)
    place = next_place(kind)
    issued_at = datetime.now(UTC)
    documents = []
    for order, (buyer, _sealed) in zip(orders, parties, strict=True):
        due_on = None
        if kind == Kind.INVOICE and order.due_days is not None:
            due_on = place.issued_on + timedelta(days=order.due_days)
        corrects = order.corrects
        stored = canonical(
            Content(
                kind=kind,
                id=order.id,
                series=place.series,
                sequence=place.number,
                number=place.label,
                issued_on=place.issued_on,
                due_on=due_on,
                seller=shop,
                buyer=buyer,
                corrects=Corrected(
                    id=corrects.pk, number=corrects.label, issued_on=corrects.issued_on
                )
                if corrects
                else None,
                reason=order.reason,
                body=order.body,
            )
        )
        document = Document(
            id=order.id,
            series_id=place.series,
            number=place.number,
            label=place.label,
            kind=kind,
            corrects=corrects,
            customer_id=order.customer_id,
            issued_by_id=order.actor_id,
            currency=order.body.currency,
            exponent=order.body.exponent,
            issued_on=place.issued_on,
            issued_at=issued_at,
            due_on=due_on,
            prices_include_tax=order.body.prices_include_tax,
            net=order.body.net,
            tax=order.body.tax,
            total=order.body.total,
            canonical=stored,
            previous_hash=place.previous_hash,
            hash=chained(place.previous_hash, stored),
        )
        document._state.adding = False
        document._state.db = "default"
        documents.append(document)
        place.number += 1
        place.previous_hash = bytes(document.hash)
    execute_prepared(
        _INSERT,
        {
            **columns,
            "kind": kind,
            "series": place.series,
            "issued_on": place.issued_on,
            "issued_at": issued_at,
            "next": place.number,
            "last": place.previous_hash,
            "number": array(each.number for each in documents),
            "label": array(each.label for each in documents),
            "due_on": array(each.due_on for each in documents),
            "canonical": _hex(each.canonical for each in documents),
            "previous": _hex(each.previous_hash for each in documents),
            "hash": _hex(each.hash for each in documents),
            "sealed": text_array(sealed for _buyer, sealed in parties),
        },
    )
    _tell(kind, documents, orders)
    return documents


def _status_of(total: Decimal) -> str:
    """Return the first status of an invoice: what costs nothing is paid at once."""
    return Balance.Status.OPEN if total else Balance.Status.PAID


def _balance_of(document: Document) -> Balance:
    """Return the balance that an invoice begins with."""
    return Balance(
        document=document,
        customer_id=document.customer_id,
        status=_status_of(document.total),
        currency=document.currency,
        due_on=document.due_on,
        total=document.total,
    )


def _hex(values: Iterable[bytes | memoryview]) -> str:
    """Return byte strings as one text, which is many times faster to send than an array."""
    return ",".join(bytes(value).hex() for value in values)


def _columns_of(orders: Sequence[Order]) -> dict[str, str]:
    """Return the columns of the rows that are known without a number, as arrays.

    psycopg would adapt lists element by element, which costs more than all its other work here.
    """
    lines = [(order, line) for order in orders for line in order.body.lines]
    taxes = [(order.id, tax) for order in orders for tax in order.body.taxes]
    return {
        "id": array(order.id for order in orders),
        "corrects": array(order.corrects and order.corrects.pk for order in orders),
        "customer": array(order.customer_id for order in orders),
        "actor": array(order.actor_id for order in orders),
        "currency": array(order.body.currency for order in orders),
        "exponent": array(order.body.exponent for order in orders),
        "include_tax": array(order.body.prices_include_tax for order in orders),
        "status": array(_status_of(order.body.total) for order in orders),
        "net": array(order.body.net for order in orders),
        "tax": array(order.body.tax for order in orders),
        "total": array(order.body.total for order in orders),
        "l_document": array(order.id for order, _ in lines),
        "l_corrects": array(order.corrects and order.corrects.pk for order, _ in lines),
        "l_position": array(line.position for _, line in lines),
        "l_purchase": array(line.purchase for _, line in lines),
        "l_text": text_array(line.text for _, line in lines),
        "l_quantity": array(line.quantity for _, line in lines),
        "l_price": array(line.price for _, line in lines),
        "l_gross": array(line.gross for _, line in lines),
        "l_discount": array(line.discount for _, line in lines),
        "l_net": array(line.net for _, line in lines),
        "l_category": array(line.tax_category for _, line in lines),
        "l_rate": array(line.tax_rate for _, line in lines),
        "l_credits": array(line.credits for _, line in lines),
        "t_document": array(id for id, _ in taxes),
        "t_category": array(tax.category for _, tax in taxes),
        "t_rate": array(tax.rate for _, tax in taxes),
        "t_net": array(tax.net for _, tax in taxes),
        "t_tax": array(tax.tax for _, tax in taxes),
    }


def _tell(kind: str, documents: Sequence[Document], orders: Sequence[Order]) -> None:
    told = [_told(document, order.body) for document, order in zip(documents, orders, strict=True)]
    type = events.INVOICE_ISSUED if kind == Kind.INVOICE else events.CREDIT_NOTE_ISSUED
    emit_all(type, told)
    paid = [
        (
            each.customer_id,
            events.InvoicePaid(
                id=each.pk,
                number=each.label,
                currency=each.currency,
                total=each.total,
                credited=Decimal(0),
                paid=Decimal(0),
            ),
        )
        for each in documents
        if kind == Kind.INVOICE and each.total == 0
    ]
    if paid:
        emit_all(events.INVOICE_PAID, paid)


def _told(document: Document, body: Body) -> tuple[int, Any]:
    """Return the customer and the data of the event of a document."""
    items, complete = events.items_of(body.lines)
    common = {
        "id": document.pk,
        "number": document.label,
        "currency": document.currency,
        "net": document.net,
        "tax": document.tax,
        "total": document.total,
        "issued_on": document.issued_on.isoformat(),
        "lines": len(body.lines),
        "items": items,
        "items_complete": complete,
    }
    corrects = document.corrects
    if corrects is not None:
        note = events.CreditNoteIssued(invoice=corrects.pk, invoice_number=corrects.label, **common)
        return document.customer_id, note
    due_on = document.due_on.isoformat() if document.due_on else None
    return document.customer_id, events.InvoiceIssued(due_on=due_on, **common)
