"""Stripe: its Checkout takes the payment, its API sends refunds, its webhooks say what happened."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings

from billing.payments.providers import signatures
from billing.payments.providers.asking import Answer, NoAnswer, NotAsked, ask
from billing.payments.providers.interface import (
    DisputeChanged,
    Message,
    Outcome,
    OutcomeUnclear,
    PaymentChanged,
    PaymentRequest,
    ProviderAway,
    ProviderRefused,
    RefundChanged,
    RefundRequest,
    Started,
)
from billing.payments.providers.minor_units import to_minor
from billing.payments.providers.stripe_events import (
    dispute_of,
    read_message,
    refund_of,
    session_of,
)
from shop.core.errors import NotFound

logger = structlog.get_logger(__name__)

_SESSION_LASTS = timedelta(hours=23)
"""Stripe takes up to 24 hours, by its own clock."""
REFUNDS_LOOKED_AT = 100
_FAILURE_MAX = 255


class Stripe:
    """Stripe, by HTTPS. Money is asked for and sent under keys, so that nothing is done twice."""

    name = "stripe"
    books_itself = True
    lasts: timedelta | None = _SESSION_LASTS

    def takes(self, currency: str) -> bool:
        """Return whether there is a key."""
        return bool(settings.STRIPE_SECRET_KEY)

    def start(self, payment: PaymentRequest) -> Started:
        """Return where the payer is redirected to."""
        try:
            amount = to_minor(payment.amount, payment.currency)
        except ValueError as error:
            raise ProviderRefused(str(error)) from None
        page = f"{settings.SITE_URL}/billing/invoices/{payment.document_id}/"
        form = {
            "mode": "payment",
            "client_reference_id": str(payment.id),
            "metadata[payment]": str(payment.id),
            "payment_intent_data[metadata][payment]": str(payment.id),
            "payment_intent_data[description]": payment.number,
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": payment.currency.lower(),
            "line_items[0][price_data][unit_amount]": str(amount),
            "line_items[0][price_data][product_data][name]": payment.number,
            "success_url": page,
            "cancel_url": page,
            "expires_at": str(int((payment.created_at + _SESSION_LASTS).timestamp())),
        }
        try:
            answer = self._ask("POST", "checkout/sessions", form, f"payment-{payment.id}")
        except (NotAsked, NoAnswer) as error:
            # A session whose address nobody knows takes no money.
            logger.warning("stripe.away", error=str(error)[:200])
            raise ProviderAway() from None
        if answer.status != 200:
            raise ProviderRefused(_words(answer))
        session, url = answer.body.get("id"), answer.body.get("url")
        if not isinstance(session, str) or not isinstance(url, str) or not url.startswith("http"):
            raise ProviderAway()
        return Started({"type": "redirect", "url": url}, session_id=session)

    def close(self, payment: PaymentRequest) -> None:
        """Let the session expire. Stripe refuses it for one that is paid or over, as is right."""
        try:
            self._ask("POST", f"checkout/sessions/{payment.session_id}/expire", {})
        except (NotAsked, NoAnswer) as error:
            raise ProviderAway() from error

    def refund(self, refund: RefundRequest) -> Outcome:
        """Send money back."""
        form = {
            "payment_intent": refund.payment_external_id,
            "amount": str(to_minor(refund.amount, refund.currency)),
            "metadata[refund]": str(refund.id),
        }
        try:
            answer = self._ask("POST", "refunds", form, f"refund-{refund.id}")
        except NotAsked as error:
            raise ProviderAway() from error
        except NoAnswer as error:
            raise OutcomeUnclear(str(error)) from error
        if answer.status == 200:
            return self._outcome(answer.body)
        return Outcome("failed", failure=_words(answer))

    def find_refund(self, refund: RefundRequest) -> Outcome | None:
        """Return the refund of the payment that has our id."""
        if refund.external_id:
            found = self._get(f"refunds/{refund.external_id}")
            return self._outcome(found) if found else None
        query = {"payment_intent": refund.payment_external_id, "limit": str(REFUNDS_LOOKED_AT)}
        listed = self._get("refunds", query) or {}
        for each in listed.get("data") or []:
            if (each.get("metadata") or {}).get("refund") == str(refund.id):
                return self._outcome(each)
        if listed.get("has_more"):
            raise ProviderAway("The payment has more refunds than are looked at.")
        return None

    def find_payment(self, payment: PaymentRequest) -> PaymentChanged | None:
        """Return what became of the payment's session."""
        if not payment.session_id:
            return None
        found = self._get(f"checkout/sessions/{payment.session_id}")
        return _read(session_of, found) if found else None

    def find_dispute(self, external_id: str) -> DisputeChanged | None:
        """Return the dispute."""
        found = self._get(f"disputes/{external_id}")
        return _read(dispute_of, found) if found else None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Message:
        """Return what a signed message says."""
        if not settings.STRIPE_WEBHOOK_SECRETS:
            raise NotFound()
        signatures.check(headers, body, settings.STRIPE_WEBHOOK_SECRETS)
        return read_message(body)

    def _outcome(self, body: dict[str, Any]) -> Outcome:
        fact: RefundChanged = _read(refund_of, body)
        return Outcome(fact.status, fact.external_id, fact.failure)

    def _get(self, path: str, query: dict[str, str] | None = None) -> dict[str, Any] | None:
        try:
            answer = self._ask("GET", path, query)
        except (NotAsked, NoAnswer) as error:
            raise ProviderAway() from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise ProviderAway()
        return answer.body

    def _ask(
        self, method: str, path: str, form: dict[str, str] | None, idempotency_key: str = ""
    ) -> Answer:
        """Return an answer that says yes or no. Raise ``NotAsked`` and ``NoAnswer``."""
        answer = ask(
            method,
            f"{settings.STRIPE_API_URL}/v1/{path}",
            key=settings.STRIPE_SECRET_KEY,
            form=form,
            idempotency_key=idempotency_key,
        )
        if answer.status in (401, 403, 429):
            # It looked at the key or at the rate, and at nothing else.
            logger.error("stripe.refuses", status=answer.status, words=_words(answer))
            raise NotAsked(f"status {answer.status}")
        if answer.status == 409 or answer.status >= 500:
            # 409: the first request with this key is still under way.
            raise NoAnswer(f"status {answer.status}")
        return answer


def _read(read: Any, body: dict[str, Any]) -> Any:
    try:
        return read(body)
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnclear("the answer is of no use") from error


def _words(answer: Answer) -> str:
    error = answer.body.get("error")
    words = error.get("message") if isinstance(error, dict) else None
    return str(words or f"status {answer.status}")[:_FAILURE_MAX]
