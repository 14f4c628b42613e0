"""Credit notes and voids: the only ways to take back what an invoice says.

Both lock the invoice's balance before they look at what was credited, so two at once never credit
the same piece twice. The number of the note is taken last.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from billing.content import Body, Buyer, content_of
from billing.coupons import redeeming
from billing.credits.selectors import last_credit_note, so_far_of
from billing.credits.shares import Asked, credit, rest_of
from billing.invoices.issuing import issue_document
from billing.invoices.models import Balance, Claim, Document, Entry, Kind
from billing.money import to_amount, to_units
from billing.parties.buyers import buyer_of
from billing.parties.sealed import opened
from billing.payments.entries import enter, lock_balance, sums_of
from billing.payments.models import Refund
from billing.payments.paying import cancel_what_is_not_due
from billing.payments.refunds import refund_overpaid
from shop.core.errors import Conflict, FieldError, ValidationFailed

VOIDED = "invoice.voided"


class RefundFirst(Conflict):
    """The shop holds money for the invoice, so voiding it would leave the money without a cause."""

    code = "refund_first"
    detail = gettext_noop("Money was received for this invoice. Credit and refund it first.")


class Voided(NamedTuple):
    """The credit note that took the rest of an invoice, and whether it was there before."""

    note: Document
    replayed: bool


class CreditNoted(NamedTuple):
    """A credit note, and the refunds that were asked for with it."""

    note: Document
    refunds: list[Refund]


def credit_note_create(
    *, actor: User, invoice: Document, lines: Sequence[Asked], reason: str, refund: bool = False
) -> CreditNoted:
    """Issue a credit note for some lines of an invoice.

    With ``refund`` all that is overpaid then is to be sent back. Raise ``ExceedsInvoice``, and
    ``ValidationFailed`` for a position that the invoice has not, and for one that is asked twice.
    """
    body = content_of(invoice.canonical).body
    _check(body, lines)
    buyer = _buyer_of(invoice)
    with transaction.atomic():
        lock_balance(invoice.pk)
        credited = credit(body, so_far_of(invoice.pk), lines)
        id = _new_id()
        enter(invoice.pk, Entry.Kind.CREDITED, id, credited.total)
        cancel_what_is_not_due(invoice.pk)
        refunds = []
        if refund:
            refunds = refund_overpaid(actor=actor, document_id=invoice.pk, reason=reason)
        return CreditNoted(_issue(actor, invoice, id, credited, buyer, reason), refunds)


def invoice_void(*, actor: User, invoice: Document, reason: str) -> Voided:
    """Credit the rest of an invoice, and let its purchases and coupons be used again.

    The same invoice again gives the same credit note. An invoice whose pieces are all credited
    already becomes void without a further note. Raise ``RefundFirst`` while the shop holds money.
    """
    body = content_of(invoice.canonical).body
    buyer = _buyer_of(invoice)
    with transaction.atomic():
        # Issuing takes claims, coupons and series in this order, so nobody waits in a circle.
        Claim.objects.filter(document=invoice).delete()
        redeeming.release(invoice.pk)
        balance = lock_balance(invoice.pk)
        if balance.status == Balance.Status.VOID:
            note = last_credit_note(invoice.pk)
            assert note is not None  # noqa: S101
            return Voided(note, True)
        if sums_of(balance).received > 0:
            raise RefundFirst
        so_far = so_far_of(invoice.pk)
        if rest := rest_of(body, so_far):
            credited = credit(body, so_far, rest)
            id = _new_id()
            enter(invoice.pk, Entry.Kind.CREDITED, id, credited.total, void=True)
            cancel_what_is_not_due(invoice.pk)
            return Voided(_issue(actor, invoice, id, credited, buyer, reason, VOIDED), False)
        note = last_credit_note(invoice.pk)
        assert note is not None  # noqa: S101
        enter(invoice.pk, Entry.Kind.CREDITED, invoice.pk, body.total * 0, void=True)
        record(
            VOIDED,
            object=f"invoice:{invoice.pk}",
            actor_id=actor.pk,
            account_id=invoice.customer_id,
            after={"number": invoice.label, "reason": reason},
        )
        return Voided(note, False)


def _issue(
    actor: User,
    invoice: Document,
    id: UUID,
    credited: Body,
    buyer: Buyer,
    reason: str,
    action: str = "",
) -> Document:
    """Issue a note that is entered already, because the series is locked last."""
    return issue_document(
        kind=Kind.CREDIT_NOTE,
        id=id,
        customer_id=invoice.customer_id,
        actor_id=actor.pk,
        body=credited,
        buyer=buyer,
        corrects=invoice,
        reason=reason,
        action=action,
    )


def _check(body: Body, lines: Sequence[Asked]) -> None:
    known = {line.position for line in body.lines}
    errors = []
    for index, asked in enumerate(lines):
        attr = f"lines.{index}"
        if asked.position not in known:
            detail = "The invoice has no such line, or it is given twice."
            errors.append(FieldError("invalid", detail, f"{attr}.position"))
        known.discard(asked.position)
        amount, exponent = asked.amount, body.exponent
        if amount is not None and amount != to_amount(to_units(amount, exponent), exponent):
            detail = f"Amounts in {body.currency} have at most {exponent} decimals."
            errors.append(FieldError("max_decimal_places", detail, f"{attr}.amount"))
    if errors:
        raise ValidationFailed(errors)


def _buyer_of(invoice: Document) -> Buyer:
    """Return the buyer that the invoice names, or the account if an erasure has deleted it."""
    party = getattr(invoice, "party", None)
    if party is None:
        return buyer_of(invoice.customer_id)
    return opened(party)[0]


def _new_id() -> UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuidv7()")
        id: UUID = cursor.fetchone()[0]
    return id
