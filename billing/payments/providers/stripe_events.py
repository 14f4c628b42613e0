"""What Stripe's objects mean. Only an object's own status counts, not the name of its event."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from billing.payments.providers.interface import (
    DisputeChanged,
    Fact,
    Message,
    PaymentChanged,
    RefundChanged,
)
from billing.payments.providers.minor_units import from_minor
from shop.core.parsers import ParseError, decode_json

_TEXT_MAX = 255
_PAYMENTS = {"succeeded": "succeeded", "canceled": "failed"}
_REFUNDS = {
    "pending": "submitted",
    "requires_action": "submitted",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_DISPUTES = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "won",
    "needs_response": "opened",
    "under_review": "opened",
    "prevented": "won",
    "won": "won",
    "lost": "lost",
}


def read_message(body: bytes) -> Message:
    """Return the message of an event's body. Raise ``ParseError`` for anything else."""
    event = decode_json(body)
    try:
        kind, id, thing = event["type"], event["id"], _object(event["data"]["object"])
        return Message(_id(id), _text(kind)[:100], facts_of(thing))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ParseError("This is no event.") from None


def facts_of(thing: Mapping[str, Any]) -> list[Fact]:
    """Return what one of Stripe's objects says; nothing for one that is of no interest.

    Raise ``KeyError``, ``TypeError`` or ``ValueError`` for one that is malformed.
    """
    read = _READERS.get(str(thing.get("object")))
    return read(thing) if read else []


def payment_of(intent: Mapping[str, Any]) -> PaymentChanged:
    """Return what a payment intent says. A refused card may be followed by a good one."""
    status = _PAYMENTS.get(intent["status"], "pending")
    currency = _currency(intent)
    amount = intent["amount_received"] if status == "succeeded" else intent["amount"]
    return PaymentChanged(
        external_id=_id(intent["id"]),
        status=status,
        payment=_ours(intent, "payment"),
        amount=from_minor(_whole(amount), currency),
        currency=currency,
        paid_on=_day(intent.get("created")),
    )


def _intent(intent: Mapping[str, Any]) -> list[Fact]:
    return [payment_of(intent)]


def session_of(session: Mapping[str, Any]) -> PaymentChanged:
    """Return what a checkout session says. One that is over without money has failed."""
    currency = _currency(session)
    if session["payment_status"] == "paid":
        status = "succeeded"
    elif session["status"] == "expired":
        status = "failed"
    else:
        status = "pending"
    return PaymentChanged(
        external_id=_id_of(session.get("payment_intent")),
        session_id=_id(session["id"]),
        status=status,
        payment=_ours(session, "payment"),
        amount=from_minor(_whole(session["amount_total"]), currency),
        currency=currency,
        paid_on=_day(session.get("created")),
    )


def _session(session: Mapping[str, Any]) -> list[Fact]:
    return [session_of(session)] if session.get("mode") == "payment" else []


def refund_of(refund: Mapping[str, Any]) -> RefundChanged:
    """Return what a refund says."""
    currency = _currency(refund)
    return RefundChanged(
        external_id=_id(refund["id"]),
        payment_external_id=_id_of(refund["payment_intent"]),
        status=_REFUNDS[refund["status"]],
        amount=from_minor(_whole(refund["amount"]), currency),
        currency=currency,
        refund=_ours(refund, "refund"),
        failure=_text(refund.get("failure_reason") or ""),
    )


def _refund(refund: Mapping[str, Any]) -> list[Fact]:
    # A charge that no payment intent made is of another integration.
    return [refund_of(refund)] if refund.get("payment_intent") else []


def _charge(charge: Mapping[str, Any]) -> list[Fact]:
    """Return the refunds of a charge, which old versions of Stripe's API put into it."""
    refunds = _object(charge.get("refunds") or {}).get("data") or []
    if not isinstance(refunds, list):
        raise TypeError("no list")
    return [fact for refund in refunds for fact in _refund(_object(refund))]


def dispute_of(dispute: Mapping[str, Any]) -> DisputeChanged:
    """Return what a dispute says."""
    currency = _currency(dispute)
    return DisputeChanged(
        external_id=_id(dispute["id"]),
        payment_external_id=_id_of(dispute["payment_intent"]),
        status=_DISPUTES[dispute["status"]],
        amount=from_minor(_whole(dispute["amount"]), currency),
        currency=currency,
        reason=_text(dispute.get("reason") or ""),
        opened_on=_day(dispute.get("created")),
    )


def _dispute(dispute: Mapping[str, Any]) -> list[Fact]:
    return [dispute_of(dispute)] if dispute.get("payment_intent") else []


_READERS: dict[str, Callable[[Mapping[str, Any]], list[Fact]]] = {
    "payment_intent": _intent,
    "checkout.session": _session,
    "charge": _charge,
    "refund": _refund,
    "dispute": _dispute,
}


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_MAX or "\0" in value:
        raise ValueError("no text")
    return value


def _id(value: Any) -> str:
    """Return the id of an object. An empty one would be that of whatever has none yet."""
    if not value:
        raise ValueError("no id")
    return _text(value)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("no object")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**15:
        raise ValueError("no amount")
    return value


def _currency(thing: Mapping[str, Any]) -> str:
    currency = _text(thing["currency"]).upper()
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise ValueError("no currency")
    return currency


def _id_of(value: Any) -> str:
    """Return the id of what Stripe writes as its id or, if asked to, whole; empty for nothing."""
    if value is None:
        return ""
    return _id(value["id"] if isinstance(value, Mapping) else value)


def _ours(thing: Mapping[str, Any], name: str) -> UUID | None:
    """Return the id that the shop gave the object; an object of somebody else has none."""
    value = _object(thing.get("metadata") or {}).get(name)
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _day(seconds: Any) -> date | None:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds < 10**11:
        return None
    return datetime.fromtimestamp(seconds, UTC).date()
