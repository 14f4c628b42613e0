"""The page of the provider ``test``: what a payer, a card and a bank do elsewhere, in development.

Whatever is chosen goes to the shop as a message that is signed as Stripe signs it.
"""

import json
import time
import uuid
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from billing.payments.inbox import message_book
from billing.payments.models import Chargeback, Payment
from billing.payments.providers.minor_units import to_minor
from billing.payments.providers.practice import Practice
from billing.payments.providers.signatures import HEADER, sign
from billing.payments.selectors import invoice_to_pay, movement_of
from shop.core.errors import ApplicationError, NotFound, error_response

RULE = needs(P.BILLING_WRITE)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=RULE, POST=RULE)
def practice_payment(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show what one can do with a payment, and do it."""
    user = cast(User, request.user)
    try:
        if not settings.BILLING_TEST_PROVIDER:
            raise NotFound()
        payment: Payment = movement_of(user, "payments", id)
        invoice_to_pay(user, str(payment.document_id))
        if payment.provider != Practice.name:
            raise NotFound()
    except ApplicationError as error:
        return error_response(request, error)
    choices = _choices(payment)
    if request.method != "POST":
        context = {"payment": payment, "choices": choices.items()}
        return render(request, "billing/test_payment.html", context)
    chosen = request.POST.get("choice", "")
    if chosen in choices:
        _send(*_message(payment, chosen))
        messages.success(request, _("The provider has told the shop."))
    return redirect(reverse("billing_invoice", args=[payment.document_id]))


def _choices(payment: Payment) -> dict[str, str]:
    """Return what may happen to a payment next, in words."""
    if payment.status != Payment.Status.SUCCEEDED:
        return {"pay": _("Pay"), "refuse": _("Let the card be refused")}
    if payment.chargebacks.filter(status=Chargeback.Status.OPENED).exists():
        return {"win": _("Let the shop win the dispute"), "lose": _("Let the shop lose it")}
    if payment.chargebacks.exists():
        return {}
    return {"dispute": _("Dispute the payment"), "inquire": _("Only ask about the payment")}


def _message(payment: Payment, chosen: str) -> tuple[str, dict[str, Any]]:
    """Return the kind and the object of the message that tells of a choice."""
    common = {
        "currency": payment.currency.lower(),
        "amount": to_minor(payment.amount, payment.currency),
        "created": int(time.time()),
    }
    intent = f"pi_test_{payment.pk.hex}"
    if chosen in ("pay", "refuse"):
        status = "succeeded" if chosen == "pay" else "canceled"
        return f"payment_intent.{status}", {
            **common,
            "object": "payment_intent",
            "id": intent,
            "status": status,
            "amount_received": common["amount"] if chosen == "pay" else 0,
            "metadata": {"payment": str(payment.pk)},
        }
    statuses = {
        "dispute": "needs_response",
        "inquire": "warning_needs_response",
        "win": "won",
        "lose": "lost",
    }
    return "charge.dispute.updated", {
        **common,
        "object": "dispute",
        "id": f"dp_test_{payment.pk.hex}",
        "payment_intent": intent,
        "status": statuses[chosen],
        "reason": "fraudulent",
    }


def _send(kind: str, thing: dict[str, Any]) -> None:
    event = {"id": f"evt_test_{uuid.uuid4().hex}", "type": kind, "data": {"object": thing}}
    body = json.dumps(event).encode()
    headers = {HEADER: sign(body, settings.BILLING_TEST_WEBHOOK_SECRETS[0])}
    message_book(Practice.name, Practice().read_webhook(headers, body))
