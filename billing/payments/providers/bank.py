"""Bank transfers: the shop says where to, and staff book what arrives."""

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings

from billing.codes import transfer_code
from billing.parties.seller import seller_details
from billing.payments.providers.interface import (
    DisputeChanged,
    Message,
    Outcome,
    PaymentChanged,
    PaymentRequest,
    RefundRequest,
    Started,
)
from billing.reference import reference_of
from shop.core.errors import NotFound


class Bank:
    """Transfers to the seller's account."""

    name = "bank"
    books_itself = False
    lasts: timedelta | None = None

    def takes(self, currency: str) -> bool:
        """Return whether the shop has said where to."""
        return bool(settings.BILLING_SELLER["iban"])

    def start(self, payment: PaymentRequest) -> Started:
        """Return the bank details, with the reference that every transfer for the invoice has."""
        seller = seller_details()
        reference = reference_of(payment.number)
        action = {
            "type": "bank_transfer",
            "name": seller["name"],
            "iban": seller["iban"],
            "bic": seller["bic"],
            "reference": reference,
            "currency": payment.currency,
            "amount": str(payment.amount),
            "qr_svg": transfer_code(
                name=seller["name"],
                iban=seller["iban"],
                bic=seller["bic"],
                reference=reference,
                currency=payment.currency,
                amount=payment.amount,
                framed=True,
            ),
        }
        return Started(action, reference=reference, keep=False)

    def close(self, payment: PaymentRequest) -> None:
        """Do nothing, because a transfer cannot be stopped here."""

    def refund(self, refund: RefundRequest) -> Outcome:
        """Return that it is done: whoever asks for the refund of a transfer makes the transfer."""
        return Outcome("succeeded")

    def find_refund(self, refund: RefundRequest) -> Outcome | None:
        """Return the same."""
        return Outcome("succeeded")

    def find_payment(self, payment: PaymentRequest) -> PaymentChanged | None:
        """Return ``None``, because staff see the account."""
        return None

    def find_dispute(self, external_id: str) -> DisputeChanged | None:
        """Return ``None``, because staff hear of it."""
        return None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Message:
        """Raise ``NotFound``, because a bank sends none."""
        raise NotFound()


class Cash(Bank):
    """Money over the counter. Nobody can start it, and staff book it."""

    name = "cash"

    def takes(self, currency: str) -> bool:
        """Return ``False``, because nobody pays cash by the API."""
        return False
