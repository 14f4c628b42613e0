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
from billing.credits.shares import Asked, SoFar, credit, rest_of
from billing.invoices.issuing import issue_document
from billing.invoices.models import Balance, Claim, Document, Entry, Kind
from billing.money import Sums
from billing.parties.buyers import buyer_of
from billing.parties.sealed import opened
from billing.payments.entries import enter, lock_balance
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


def credit_note_create(
    *, actor: User, invoice: Document, lines: Sequence[Asked], reason: str
) -> Document:
    """Issue a credit note for some lines of an invoice; return it.

    Raise ``ExceedsInvoice``, and ``ValidationFailed`` for a position that the invoice has not.
    """
    body = content_of(invoice.canonical).body
    _check_positions(body, lines)
    buyer = _buyer_of(invoice)
    with transaction.atomic():
        lock_balance(invoice.pk)
        return _issue(actor, invoice, body, so_far_of(invoice.pk), lines, buyer, reason)


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
            note = _issue(actor, invoice, body, so_far, rest, buyer, reason, void=True)
            return Voided(note, False)
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


def sums_of(balance: Balance) -> Sums:
    """Return the sums of a balance."""
    return Sums(
        balance.total, balance.credited, balance.paid, balance.refunded, balance.charged_back
    )


def _issue(
    actor: User,
    invoice: Document,
    body: Body,
    so_far: SoFar,
    lines: Sequence[Asked],
    buyer: Buyer,
    reason: str,
    *,
    void: bool = False,
) -> Document:
    """Issue the note and enter it. The caller holds the lock of the balance."""
    credited = credit(body, so_far, lines)
    id = _new_id()
    enter(invoice.pk, Entry.Kind.CREDITED, id, credited.total, void=void)
    return issue_document(
        kind=Kind.CREDIT_NOTE,
        id=id,
        customer_id=invoice.customer_id,
        actor_id=actor.pk,
        body=credited,
        buyer=buyer,
        corrects=invoice,
        reason=reason,
        action=VOIDED if void else "",
    )


def _check_positions(body: Body, lines: Sequence[Asked]) -> None:
    known = {line.position for line in body.lines}
    errors = [
        FieldError("invalid", "The invoice has no such line.", f"lines.{index}.position")
        for index, asked in enumerate(lines)
        if asked.position not in known
    ]
    if errors:
        raise ValidationFailed(errors)


def _buyer_of(invoice: Document) -> Buyer:
    """Return the buyer that the invoice names, or the account if an erasure has deleted it."""
    party = getattr(invoice, "party", None)
    if party is None:
        return buyer_of(invoice.customer)
    return opened(party)[0]


def _new_id() -> UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuidv7()")
        id: UUID = cursor.fetchone()[0]
    return id
