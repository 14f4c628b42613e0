""":func:`enter`, the only way to move an invoice's balance."""

from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from billing import events
from billing.invoices.models import Balance, Document, Entry
from billing.money import Sums
from events.services import emit

_MOVES: dict[str, tuple[str, int]] = {
    Entry.Kind.CREDITED: ("credited", 1),
    Entry.Kind.PAID: ("paid", 1),
    Entry.Kind.PAYMENT_REVERSED: ("paid", -1),
    Entry.Kind.REFUNDED: ("refunded", 1),
    Entry.Kind.REFUND_REVERSED: ("refunded", -1),
    Entry.Kind.CHARGED_BACK: ("charged_back", 1),
    Entry.Kind.CHARGEBACK_REVERSED: ("charged_back", -1),
}
"""Which sum of a balance each kind of entry moves, and in which direction."""

_INSERT = f"""
INSERT INTO {Entry._meta.db_table} (document_id, kind, source, amount) VALUES (%s, %s, %s, %s)
ON CONFLICT (source, kind) DO NOTHING
"""  # noqa: S608


def lock_balance(document_id: UUID) -> Balance:
    """Return the balance of an invoice, locked until the transaction ends.

    Whoever checks a balance before it moves takes this lock first, because the application may not
    lock a document. Raise ``Balance.DoesNotExist``.
    """
    return Balance.objects.select_for_update().get(pk=document_id)


def enter(
    document_id: UUID, kind: str, source: UUID, amount: Decimal, *, void: bool = False
) -> Balance:
    """Write one movement of an invoice's balance, in the caller's transaction; return the balance.

    The same ``source`` and ``kind`` again change nothing. ``void`` says that the movement voids the
    invoice. Raise ``ValueError`` for a negative amount, and ``Balance.DoesNotExist``.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("enter() needs the transaction of the change.")
    if amount < 0:
        raise ValueError(f"{kind}: {amount} is negative.")
    balance = lock_balance(document_id)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [document_id, kind, source, amount])
        if not cursor.rowcount:
            return balance
    if kind != Entry.Kind.ISSUED:
        name, sign = _MOVES[kind]
        setattr(balance, name, getattr(balance, name) + sign * amount)
    was = balance.status
    balance.status = sums_of(balance).status(void=void or was == Balance.Status.VOID)
    balance.save(update_fields=["status", "credited", "paid", "refunded", "charged_back"])
    if balance.status == Balance.Status.PAID != was:
        _tell_paid(balance)
    return balance


def sums_of(balance: Balance) -> Sums:
    """Return the sums of a balance, which say what is due, overpaid and received."""
    return Sums(
        balance.total, balance.credited, balance.paid, balance.refunded, balance.charged_back
    )


def _tell_paid(balance: Balance) -> None:
    label = Document.objects.values_list("label", flat=True).get(pk=balance.pk)
    data = events.InvoicePaid(
        id=balance.pk,
        number=label,
        currency=balance.currency,
        total=balance.total,
        credited=balance.credited,
        paid=balance.paid,
    )
    emit(events.INVOICE_PAID, customer=balance.customer_id, data=data)
