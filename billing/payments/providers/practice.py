"""The provider ``test``, for development: one pays on a page of the shop, and no money moves.

It signs its messages as Stripe does, so that the whole way of a payment can be tried offline.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings

from billing.payments.providers import signatures
from billing.payments.providers.interface import (
    DisputeChanged,
    Message,
    Outcome,
    PaymentChanged,
    PaymentRequest,
    RefundRequest,
    Started,
)
from billing.payments.providers.stripe_events import read_message


class Practice:
    """A provider that does whatever it is asked for."""

    name = "test"
    books_itself = True
    lasts: timedelta | None = timedelta(hours=23)

    def takes(self, currency: str) -> bool:
        """Return whether this is development."""
        return bool(settings.BILLING_TEST_PROVIDER)

    def start(self, payment: PaymentRequest) -> Started:
        """Return the page on which one pays."""
        session = f"cs_test_{payment.id.hex}"
        url = f"{settings.SITE_URL}/billing/test-payment/{payment.id}/"
        return Started({"type": "redirect", "url": url}, session_id=session)

    def close(self, payment: PaymentRequest) -> None:
        """Do nothing, because one may try what happens then."""

    def refund(self, refund: RefundRequest) -> Outcome:
        """Return that it is done."""
        return Outcome("succeeded", f"re_test_{refund.id.hex}")

    def find_refund(self, refund: RefundRequest) -> Outcome | None:
        """Return the same."""
        return self.refund(refund)

    def find_payment(self, payment: PaymentRequest) -> PaymentChanged | None:
        """Return ``None``, because the page says it at once."""
        return None

    def find_dispute(self, external_id: str) -> DisputeChanged | None:
        """Return ``None``."""
        return None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Message:
        """Return what a signed message says."""
        signatures.check(headers, body, settings.BILLING_TEST_WEBHOOK_SECRETS)
        return read_message(body)
