"""The shapes of bank statements in the API. Amounts are decimal strings."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import LineField, TextField
from billing.invoices.models import LABEL_MAX_LENGTH
from billing.payments.bank_statements.importing import KNOWN, Imported, Taken
from billing.payments.bank_statements.models import BankCredit
from billing.payments.models import REASON_MAX_LENGTH
from shop.core.bodies import Body

SHOWN_MAX = 1000
_OUTCOMES = [KNOWN, BankCredit.Status.BOOKED.value, BankCredit.Status.WAITING.value]


class AssignSerializer(Body):
    invoice = LineField(max_length=max(36, LABEL_MAX_LENGTH), help_text="Its id or its number.")


class SetAsideSerializer(Body):
    reason = TextField(max_length=REASON_MAX_LENGTH)


class BankCreditSerializer(serializers.Serializer[Any]):
    """Money that a bank says has come."""

    id = serializers.UUIDField(allow_null=True, help_text="`null` in a dry run.")
    account = serializers.CharField(help_text="The shop's own, mostly an IBAN.")
    bank_reference = serializers.CharField()
    booked_on = serializers.DateField()
    currency = serializers.CharField()
    amount = serializers.CharField()
    reference = serializers.CharField()
    text = serializers.CharField(help_text="What the payer wrote; empty once it is booked.")
    payer = serializers.CharField(help_text="Empty once it is booked.")
    status = serializers.ChoiceField(choices=BankCredit.Status.choices)
    why = serializers.ChoiceField(
        choices=[("", ""), *BankCredit.Why.choices], help_text="Why it waits."
    )
    reason = serializers.CharField(help_text="Why it was set aside.")
    payment = serializers.UUIDField(allow_null=True)
    invoice = serializers.UUIDField(allow_null=True)
    number = serializers.CharField(allow_null=True, help_text="The invoice's.")


class TakenCreditSerializer(BankCreditSerializer):
    """A credit of an import, and what became of it."""

    outcome = serializers.ChoiceField(choices=_OUTCOMES)


class ImportedStatementSerializer(serializers.Serializer[Any]):
    """What an import did, or would do."""

    dry_run = serializers.BooleanField()
    lines = serializers.IntegerField()
    debits = serializers.IntegerField(help_text="Lines of money that went; nothing is booked.")
    others = serializers.IntegerField(help_text="What was taken back, and lines without an amount.")
    booked = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Credits whose invoice is not known.")
    known = serializers.IntegerField(help_text="Credits that an import before has taken.")
    credits = TakenCreditSerializer(many=True)


def credit_data(credit: BankCredit) -> dict[str, Any]:
    """Return a credit. It needs its ``payment`` with its ``document``."""
    payment = credit.payment
    return {
        "id": str(credit.pk),
        "account": credit.account,
        "bank_reference": credit.bank_reference,
        "booked_on": credit.booked_on.isoformat(),
        "currency": credit.currency,
        "amount": f"{credit.amount:.2f}",
        "reference": credit.reference,
        "text": credit.text,
        "payer": credit.payer,
        "status": credit.status,
        "why": credit.why,
        "reason": credit.reason,
        "payment": str(payment.pk) if payment else None,
        "invoice": str(payment.document_id) if payment else None,
        "number": payment.document.label if payment else None,
    }


def imported_data(imported: Imported) -> dict[str, Any]:
    """Return what an import did, with its first credits."""
    counted = imported.counted()
    return {
        "dry_run": imported.dry_run,
        "lines": imported.lines,
        "debits": imported.debits,
        "others": imported.others,
        **{name: counted[name] for name in _OUTCOMES},
        "credits": [_taken(each, imported.dry_run) for each in imported.taken[:SHOWN_MAX]],
    }


def _taken(taken: Taken, dry_run: bool) -> dict[str, Any]:
    data = credit_data(taken.credit) | {"payer": taken.payer, "text": taken.text}
    if dry_run and taken.outcome != KNOWN:
        data |= {"id": None, "payment": None}
    return {**data, "outcome": taken.outcome}
