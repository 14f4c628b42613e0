"""Making, changing, discarding and issuing drafts."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, transaction

from accounts.models import User
from audit.services import record
from billing.coupons.redeeming import redeem
from billing.invoices.composing import Composed, Request, compose
from billing.invoices.errors import AlreadyInvoiced, Issued
from billing.invoices.issuing import issue_document
from billing.invoices.models import Document, Draft, Kind
from billing.parties.buyers import buyer_of
from billing.site_settings import BILLING_DUE_DAYS
from purchases.sql import array
from shop.core.database import fetch_prepared
from shop.core.errors import NotFound

# The row is locked like this, too, so a second issuer waits, and finds the invoice.
_TAKE = """
DELETE FROM billing_draft AS draft USING accounts_user AS customer
 WHERE draft.id = %s AND customer.id = draft.customer_id
RETURNING draft.currency, draft.request, draft.content, customer.id, customer.username,
          customer.userid
"""
# Claims are taken in one order, so that two issuers wait for each other instead of deadlocking.
_CLAIM = """
INSERT INTO billing_claim (purchase, document_id)
SELECT purchase, document
  FROM unnest(%s::uuid[], %s::uuid[]) AS t (purchase, document) ORDER BY purchase
ON CONFLICT DO NOTHING RETURNING purchase
"""


def composed_of(draft: Draft) -> Composed:
    """Return what a draft will say when it is issued."""
    return msgspec.convert(draft.content, Composed)


def request_of(draft: Draft) -> Request:
    """Return what was asked for."""
    return msgspec.convert(draft.request, Request)


def due_days_of(draft: Draft) -> int:
    """Return after how many days the invoice will be due."""
    asked = request_of(draft).due_days
    return BILLING_DUE_DAYS.value if asked is None else asked


def draft_create(actor: User, customer: User, request: Request) -> Draft:
    """Keep a draft of what the customer bought and no invoice says yet.

    Raise what ``compose`` does.
    """
    composed = compose(customer.pk, request)
    with transaction.atomic():
        draft = Draft.objects.create(
            customer=customer,
            currency=composed.body.currency,
            request=msgspec.to_builtins(request),
            content=msgspec.to_builtins(composed),
            created_by=actor,
        )
        _record("invoice.drafted", draft, actor, composed)
    return draft


def draft_change(actor: User, id: UUID, changes: dict[str, Any]) -> Draft:
    """Compose a draft anew, with these parts of the request changed; ``None`` takes one away.

    Raise ``NotFound``, ``Issued``, and what ``compose`` does.
    """
    with transaction.atomic():
        draft = _locked(id)
        asked = {**draft.request, **changes}
        request = msgspec.convert(
            {name: value for name, value in asked.items() if value is not None}, Request
        )
        composed = compose(draft.customer_id, request)
        draft.currency = composed.body.currency
        draft.request = msgspec.to_builtins(request)
        draft.content = msgspec.to_builtins(composed)
        draft.save(update_fields=["currency", "request", "content"])
        _record("invoice.changed", draft, actor, composed)
    return draft


def draft_delete(actor: User, id: UUID) -> None:
    """Discard a draft. Raise ``NotFound`` and ``Issued``."""
    with transaction.atomic():
        draft = _locked(id)
        _record("invoice.discarded", draft, actor)
        draft.delete()


def draft_issue(actor: User, id: UUID) -> tuple[Document, bool]:
    """Issue a draft as it was previewed; return the invoice, and whether it was issued before.

    Raise ``NotFound``, ``AlreadyInvoiced``, which names the purchases, and the errors of coupons.
    A refused issue uses no number.
    """
    with transaction.atomic():
        draft = _taken(id)
        if draft is None:
            return _issued(id), True
        composed = composed_of(draft)
        buyer = buyer_of(draft.customer_id)
        claim([(line.purchase, id) for line in composed.body.lines if line.purchase])
        redeem(
            [use.id for use in composed.coupons],
            customer_id=draft.customer_id,
            document_id=id,
            currency=draft.currency,
            amounts=[use.amount for use in composed.coupons],
        )
        document = issue_document(
            kind=Kind.INVOICE,
            id=id,
            customer_id=draft.customer_id,
            actor_id=actor.pk,
            body=composed.body,
            buyer=buyer,
            due_days=due_days_of(draft),
        )
    document.customer = draft.customer
    return document, False


def claim(pairs: Iterable[tuple[UUID, UUID]]) -> None:
    """Let invoices have purchases, each ``(purchase, invoice)``. Raise ``AlreadyInvoiced``."""
    wanted = dict(pairs)
    rows = fetch_prepared(_CLAIM, [array(wanted), array(wanted.values())])
    taken = {purchase for (purchase,) in rows}
    if missing := wanted.keys() - taken:
        raise AlreadyInvoiced(missing)


def _taken(id: UUID) -> Draft | None:
    """Delete a draft, and return what it was, with the names of its customer."""
    rows = fetch_prepared(_TAKE, [id])
    if not rows:
        return None
    currency, request, content, *customer = rows[0]
    return Draft(
        id=id,
        customer=User.from_db(DEFAULT_DB_ALIAS, ["id", "username", "userid"], customer),
        currency=currency,
        request=json.loads(request),
        content=json.loads(content),
    )


def _locked(id: UUID) -> Draft:
    draft = Draft.objects.select_for_update().filter(pk=id).first()
    if draft is None:
        _issued(id)
        raise Issued()
    return draft


def _issued(id: UUID) -> Document:
    document = Document.objects.filter(pk=id, kind=Kind.INVOICE).first()
    if document is None:
        raise NotFound()
    return document


def _record(action: str, draft: Draft, actor: User, composed: Composed | None = None) -> None:
    after = None
    if composed is not None:
        body = composed.body
        after = {"currency": body.currency, "total": str(body.total), "lines": len(body.lines)}
    record(
        action,
        object=f"invoice:{draft.pk}",
        actor_id=actor.pk,
        account_id=draft.customer_id,
        after=after,
    )
