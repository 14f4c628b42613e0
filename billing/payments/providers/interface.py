"""What a payment provider has to do, and the shapes that go between it and billing.

A provider says what happened as facts. A fact carries the provider's own id and its own status of
an object, never the name of a message, because messages come late, twice and in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import msgspec
from django.utils.translation import gettext_noop

from shop.core.errors import ApplicationError, Unavailable


class ProviderAway(Unavailable):
    """The provider does not answer. Nothing was changed here."""

    code = "provider_unavailable"
    detail = gettext_noop("The payment provider cannot be reached. Nothing was changed. Try again.")


class ProviderRefused(ApplicationError):
    """The provider answered that it will not do this."""

    status = 409
    code = "provider_refused"
    detail = gettext_noop("The payment provider refuses this.")


class OutcomeUnclear(Exception):
    """The provider was asked and nobody knows whether it did what it was asked for."""


class BadSignature(ApplicationError):
    """The message is not signed by the provider, or long ago."""

    code = "bad_signature"
    detail = gettext_noop("The signature is not good.")


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to be started. ``id`` is the idempotency key; nothing in here changes later."""

    id: UUID
    document_id: UUID
    number: str
    currency: str
    amount: Decimal
    created_at: datetime
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """What the payer has to do, as the API shows it, and the provider's id of it.

    ``keep`` is false for what costs nothing to make again.
    """

    action: dict[str, Any]
    session_id: str = ""
    reference: str = ""
    keep: bool = True


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to send back. ``id`` is the idempotency key; nothing in here changes later."""

    id: UUID
    payment_id: UUID
    payment_external_id: str
    currency: str
    amount: Decimal
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider says of a refund: ``submitted``, ``succeeded`` or ``failed``."""

    status: str
    external_id: str = ""
    failure: str = ""


class PaymentChanged(msgspec.Struct, frozen=True, kw_only=True, tag="payment"):
    """A payment is ``pending``, ``succeeded`` or ``failed``; ``payment`` is our id."""

    external_id: str
    status: str
    payment: UUID | None = None
    session_id: str = ""
    amount: Decimal = Decimal(0)
    currency: str = ""
    paid_on: date | None = None


class RefundChanged(msgspec.Struct, frozen=True, kw_only=True, tag="refund"):
    """A refund is ``submitted``, ``succeeded`` or ``failed``; ``refund`` is our id."""

    external_id: str
    payment_external_id: str
    status: str
    amount: Decimal
    currency: str
    refund: UUID | None = None
    failure: str = ""


class DisputeChanged(msgspec.Struct, frozen=True, kw_only=True, tag="dispute"):
    """A dispute is an ``inquiry``, ``opened``, ``won`` or ``lost``."""

    external_id: str
    payment_external_id: str
    status: str
    amount: Decimal
    currency: str
    reason: str = ""
    opened_on: date | None = None


Fact = PaymentChanged | RefundChanged | DisputeChanged


class Message(msgspec.Struct, frozen=True):
    """A message of a provider: its id, its kind, and the facts that are of interest."""

    event_id: str
    kind: str
    facts: list[Fact]


class Provider(Protocol):
    """A way to pay. ``books_itself`` says that its messages tell what happened, so staff do not.

    ``lasts`` is how long one can pay what was started; ``None`` for ever.
    """

    name: str
    books_itself: bool
    lasts: timedelta | None

    def takes(self, currency: str) -> bool:
        """Return whether one can pay in the currency."""

    def start(self, payment: PaymentRequest) -> Started:
        """Return what the payer has to do. The same payment again is the same.

        Raise ``ProviderAway`` or ``ProviderRefused``.
        """

    def close(self, payment: PaymentRequest) -> None:
        """Let nobody pay any more what was started. Raise ``ProviderAway``."""

    def refund(self, refund: RefundRequest) -> Outcome:
        """Send money back under the refund's id; the same id again sends nothing again.

        Raise ``ProviderAway`` if it certainly was not sent, and ``OutcomeUnclear``.
        """

    def find_refund(self, refund: RefundRequest) -> Outcome | None:
        """Return what became of a refund that may have been sent; ``None`` if there is none.

        Raise ``ProviderAway``.
        """

    def find_payment(self, payment: PaymentRequest) -> PaymentChanged | None:
        """Return what became of a payment; ``None`` for nothing new. Raise ``ProviderAway``."""

    def find_dispute(self, external_id: str) -> DisputeChanged | None:
        """Return what became of a dispute. Raise ``ProviderAway``."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Message:
        """Return what a message says. Raise ``BadSignature``, and ``ParseError`` for no JSON."""
