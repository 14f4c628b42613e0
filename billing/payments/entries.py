""":func:`enter`, the only way to move an invoice's balance."""

from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from billing.invoices.models import Balance, Entry

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
    balance.status = _status(balance, void=void or balance.status == Balance.Status.VOID)
    balance.save(update_fields=["status", "credited", "paid", "refunded", "charged_back"])
    return balance


def _status(balance: Balance, *, void: bool) -> str:
    if void:
        return Balance.Status.VOID
    received = balance.paid - balance.refunded - balance.charged_back
    if received >= balance.total - balance.credited:
        return Balance.Status.PAID
    return Balance.Status.PARTIALLY_PAID if received > 0 else Balance.Status.OPEN
