"""Booking what a bank's statement says has come, each credit once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from billing.invoices.models import Document
from billing.payments.bank_statements.lines import BankLine, Direction
from billing.payments.bank_statements.matching import find_invoice
from billing.payments.bank_statements.models import BankCredit
from billing.payments.entries import lock_balance
from billing.payments.errors import ReferenceUsed
from billing.payments.models import Payment
from billing.payments.paying import payment_book
from shop.core.errors import Conflict, NotFound
from shop.core.site_settings.general import site_today

Status = BankCredit.Status
KNOWN = "known"
FORGOTTEN_AFTER = timedelta(days=180)
"""So long a credit that nobody assigns keeps who paid and what for."""


class OtherCurrency(Conflict):
    """The credit is in another currency than the invoice."""

    code = "other_currency"
    detail = gettext_noop("This money is in another currency than the invoice.")


class CreditBooked(Conflict):
    """The credit was booked for another invoice."""

    code = "credit_booked"
    detail = gettext_noop("This money is booked already.")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a credit: ``booked``, ``waiting``, or ``known`` from an import before."""

    credit: BankCredit
    outcome: str
    payer: str
    text: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do. ``debits`` and ``others`` are lines that book nothing."""

    dry_run: bool
    lines: int
    debits: int
    others: int
    taken: list[Taken]

    def counted(self) -> Counter[str]:
        """Return how many credits had each outcome."""
        return Counter(each.outcome for each in self.taken)


def statement_import(*, actor: User, lines: Sequence[BankLine], dry_run: bool) -> Imported:
    """Book the credits of a statement whose invoice is known; let the others wait for somebody.

    Each credit is a transaction of its own, so an import that is stopped is simply done again.
    A dry run does all of it in one transaction and takes it back, so it shows what will be.
    """
    credits = [line for line in lines if line.direction is Direction.CREDIT]
    directions = Counter(line.direction for line in lines)
    if dry_run:
        with transaction.atomic():
            taken = [_take(actor, line) for line in credits]
            transaction.set_rollback(True)
    else:
        taken = [_take(actor, line) for line in credits]
    done = Imported(
        dry_run, len(lines), directions[Direction.DEBIT], directions[Direction.OTHER], taken
    )
    counted = done.counted()
    if not dry_run and counted.total() > counted[KNOWN]:
        with transaction.atomic():
            record(
                "bankstatement.imported",
                object=f"bankstatement:{taken[0].credit.identity[:32]}",
                actor_id=actor.pk,
                after={"lines": len(lines), **{str(name): n for name, n in counted.items()}},
            )
    return done


def _take(actor: User, line: BankLine) -> Taken:
    with transaction.atomic():
        credit, is_new = BankCredit.objects.select_related("payment__document").get_or_create(
            identity=line.identity(),
            defaults={
                "account": line.account,
                "bank_reference": line.bank_reference,
                "booked_on": line.booked_on,
                "currency": line.currency,
                "amount": line.amount,
                "reference": line.reference,
                "text": line.text,
                "payer": line.payer,
                "imported_by": actor,
            },
        )
        if not is_new:
            return Taken(credit, KNOWN, line.payer, line.text)
        match = find_invoice(line)
        why = match.why
        if match.invoice is not None:
            try:
                _book(actor, credit, match.invoice)
            except ReferenceUsed:
                why = BankCredit.Why.REFERENCE
        if why:
            credit.why = why
            credit.save(update_fields=["why"])
    return Taken(credit, credit.status, line.payer, line.text)


def credit_assign(*, actor: User, credit_id: UUID, invoice: Document) -> tuple[BankCredit, bool]:
    """Book a credit that waits for an invoice; return it, and whether that was done now.

    Raise ``NotFound``, ``OtherCurrency``, ``ReferenceUsed``, and ``CreditBooked`` if it is booked
    for another invoice.
    """
    with transaction.atomic():
        credit = _locked(credit_id)
        if credit.payment is not None:
            if credit.payment.document_id != invoice.pk:
                raise CreditBooked()
            return credit, False
        if credit.currency != invoice.currency:
            raise OtherCurrency()
        _book(actor, credit, invoice)
    return credit, True


def credit_set_aside(*, actor: User, credit_id: UUID, reason: str) -> BankCredit:
    """Say that a credit is for no invoice. Again it changes nothing.

    Raise ``NotFound`` and ``CreditBooked``.
    """
    with transaction.atomic():
        credit = _locked(credit_id)
        if credit.status == Status.BOOKED:
            raise CreditBooked()
        if credit.status == Status.WAITING:
            credit.status, credit.reason = Status.SET_ASIDE, reason
            credit.save(update_fields=["status", "reason"])
            _record("bankcredit.setaside", actor, credit, {"amount": str(credit.amount)})
    return credit


def credits_purge() -> int:
    """Forget who sent money that nobody assigned for long; return of how many credits."""
    day = timezone.localdate() - FORGOTTEN_AFTER
    unbooked = BankCredit.objects.filter(payment=None, booked_on__lt=day)
    told = Q(payer__gt="") | Q(text__gt="") | Q(reference__gt="")
    return unbooked.filter(told).update(payer="", text="", reference="")


def _locked(id: UUID) -> BankCredit:
    credit = BankCredit.objects.select_for_update().filter(pk=id).first()
    if credit is None:
        raise NotFound()
    return credit


def _book(actor: User, credit: BankCredit, invoice: Document) -> None:
    """Make a credit a payment of an invoice, or find the payment that staff booked by hand."""
    # The day may have begun at the bank before it begins here.
    paid_on = min(credit.booked_on, max(site_today(), timezone.localdate()))
    lock_balance(invoice.pk)
    payment = Payment.objects.filter(
        document=invoice,
        provider="bank",
        status=Payment.Status.SUCCEEDED,
        received=credit.amount,
        paid_on=paid_on,
        bank_credit=None,
    ).first()
    if payment is None:
        with transaction.atomic():
            payment, _is_new = payment_book(
                actor=actor,
                document=invoice,
                amount=credit.amount,
                paid_on=paid_on,
                reference=credit.bank_reference or credit.identity[:32],
            )
    if BankCredit.objects.filter(payment=payment).exists():
        raise ReferenceUsed()
    credit.payment = payment
    credit.status, credit.why = Status.BOOKED, ""
    # From now on the payment says whose money it is.
    credit.payer = credit.text = credit.reference = ""
    credit.save(update_fields=["payment", "status", "why", "payer", "text", "reference"])
    _record("bankcredit.booked", actor, credit, {"invoice": invoice.label})


def _record(action: str, actor: User, credit: BankCredit, after: dict[str, Any]) -> None:
    about = credit.payment.customer_id if credit.payment else None
    record(
        action,
        object=f"bankcredit:{credit.pk}",
        actor_id=actor.pk,
        account_id=about,
        after=after,
    )
