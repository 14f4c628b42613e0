"""The shapes of the API of payments. Amounts are decimal strings."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import LineField, TextField
from billing.payments.models import (
    REASON_MAX_LENGTH,
    REFERENCE_MAX_LENGTH,
    Chargeback,
    Payment,
    Refund,
)
from billing.payments.selectors import excess
from shop.core.bodies import Body
from shop.core.times import iso


def _amount(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=22, decimal_places=2, **options)


def _reason(**options: Any) -> TextField:
    return TextField(max_length=REASON_MAX_LENGTH, **options)


def _reference(**options: Any) -> LineField:
    return LineField(max_length=REFERENCE_MAX_LENGTH, **options)


class PaySerializer(Body):
    provider = LineField(max_length=20, help_text="`bank`, `stripe`, or `test` in development.")
    amount = _amount(required=False, help_text="All that is due, if it is not given.")


class ActionSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=["redirect", "bank_transfer"])
    url = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    iban = serializers.CharField(required=False)
    bic = serializers.CharField(required=False)
    reference = serializers.CharField(required=False, help_text="ISO 11649, `RF…`.")
    currency = serializers.CharField(required=False)
    amount = serializers.CharField(required=False)
    qr_svg = serializers.CharField(required=False, help_text="EPC069-12; empty if not in euros.")


class PayAnswerSerializer(serializers.Serializer[Any]):
    payment = serializers.UUIDField()
    action = ActionSerializer()


class BookSerializer(Body):
    amount = _amount()
    paid_on = serializers.DateField()
    reference = _reference()
    method = serializers.ChoiceField(choices=["bank", "cash"], default="bank")


class RefundRequestSerializer(Body):
    amount = _amount()
    reason = _reason()


class RefundFailedSerializer(Body):
    reason = _reason()


class ChargebackRequestSerializer(Body):
    amount = _amount()
    reason = _reason()
    reference = _reference(required=False, allow_blank=True, default="")
    opened_on = serializers.DateField()


class MovementSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    invoice = serializers.UUIDField()
    number = serializers.CharField(help_text="The invoice's.")
    username = serializers.CharField()
    userid = serializers.CharField()
    provider = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.CharField()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class PaymentSerializer(MovementSerializer):
    status = serializers.ChoiceField(choices=Payment.Status.choices)
    received = serializers.CharField()
    refunded = serializers.CharField(help_text="With what is on its way, or of unknown outcome.")
    charged_back = serializers.CharField(help_text="Of open disputes and lost ones.")
    excess = serializers.CharField(help_text="How much more went back than came.")
    disputed = serializers.BooleanField()
    reference = serializers.CharField()
    paid_on = serializers.DateField(allow_null=True)
    attention = serializers.ListField(child=serializers.CharField())


class RefundSerializer(MovementSerializer):
    payment = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Refund.Status.choices)
    reason = serializers.CharField()
    failure = serializers.CharField()


class ChargebackSerializer(MovementSerializer):
    payment = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Chargeback.Status.choices)
    by_provider = serializers.BooleanField()
    reason = serializers.CharField()
    reference = serializers.CharField()
    opened_on = serializers.DateField(allow_null=True)


class ReceiptSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["booked", "repeated", "ignored"])


def _movement(row: Any) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "invoice": str(row.document_id),
        "number": row.document.label,
        "username": row.customer.username,
        "userid": row.customer.userid,
        "provider": row.provider,
        "status": row.status,
        "currency": row.currency,
        "amount": f"{row.amount:.2f}",
        "created_at": iso(row.created_at),
        "settled_at": iso(row.settled_at) if row.settled_at else None,
    }


def payment_data(payment: Any) -> dict[str, Any]:
    """Return a payment as the API shows it; it needs the sums that the selectors give it."""
    exceeds = excess(payment)
    return {
        **_movement(payment),
        "received": f"{payment.received:.2f}",
        "refunded": f"{payment.refunded:.2f}",
        "charged_back": f"{payment.charged_back:.2f}",
        "excess": f"{exceeds:.2f}",
        "disputed": payment.disputed,
        "reference": payment.reference,
        "paid_on": payment.paid_on and payment.paid_on.isoformat(),
        "attention": ["excess"] if exceeds else [],
    }


def refund_data(refund: Refund) -> dict[str, Any]:
    """Return a refund as the API shows it."""
    return {
        **_movement(refund),
        "payment": str(refund.payment_id),
        "reason": refund.reason,
        "failure": refund.failure,
    }


def chargeback_data(chargeback: Chargeback) -> dict[str, Any]:
    """Return a chargeback as the API shows it."""
    return {
        **_movement(chargeback),
        "payment": str(chargeback.payment_id),
        "by_provider": chargeback.by_provider,
        "reason": chargeback.reason,
        "reference": chargeback.reference or chargeback.external_id,
        "opened_on": chargeback.opened_on and chargeback.opened_on.isoformat(),
    }
