"""Paying an invoice, and booking what was paid for it."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from billing.invoices.flags import sums_of
from billing.invoices.models import Document, Kind
from billing.invoices.selectors import document_of
from billing.pages.forms import Errors, amount_in, checked, day_in, submitted
from billing.pages.manage import WRITE_ALL
from billing.pages.shown import page_url
from billing.pages.wording import PROVIDERS
from billing.payments.paying import payment_action, payment_begin, payment_book
from billing.payments.providers.interface import PaymentRequest
from billing.payments.providers.registry import providers_for
from billing.payments.selectors import invoice_to_pay
from billing.payments.serializers import BookSerializer
from shop.core import times
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.money import shown

BANK = "bank"
QR_WIDTH = 200
LABELS = {
    "amount": gettext_lazy("Amount"),
    "paid_on": gettext_lazy("Day"),
    "reference": gettext_lazy("Reference"),
    "method": gettext_lazy("How it was paid"),
}


def ways_to_pay(user: User, document: Document) -> dict[str, Any] | None:
    """Return how the customer can pay what is due: the bank details, and providers' words."""
    due = sums_of(document.balance).due
    may = document.customer_id == user.pk and allows(user.permissions, P.BILLING_WRITE)
    if not may or due <= 0:
        return None
    ways: dict[str, Any] = {"due": due, "providers": []}
    for provider in providers_for(document.currency):
        if provider.name != BANK:
            ways["providers"].append((provider.name, PROVIDERS.get(provider.name, provider.name)))
            continue
        request = PaymentRequest(
            id=document.pk,
            document_id=document.pk,
            number=document.label,
            currency=document.currency,
            amount=due,
            created_at=timezone.now(),
        )
        ways["bank"] = _bank(dict(provider.start(request).action))
    return ways


def _bank(action: dict[str, Any]) -> dict[str, Any]:
    """Return the bank details, with the code as an image that has a size and a name."""
    iban = action["iban"]
    action["iban_shown"] = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    if action["qr_svg"]:
        label = _("QR code for a banking app")
        size = f'width="{QR_WIDTH}" height="{QR_WIDTH}" role="img" aria-label="{label}"'
        # The shop makes this image itself.
        action["qr"] = mark_safe(action["qr_svg"].replace("<svg ", f"<svg {size} ", 1))  # noqa: S308
    return action


@require_POST
@requires(POST=needs(P.BILLING_WRITE))
def pay(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Begin a payment at a provider, and lead there. The same again is the same payment."""
    user = cast(User, request.user)
    try:
        document = invoice_to_pay(user, str(id))
        provider = request.POST.get("provider", "")
        payment, _is_new = payment_begin(actor=user, document=document, provider=provider)
        action = payment_action(payment)
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        messages.error(request, _(str(error)))
        return redirect(page_url(Kind.INVOICE, id))
    if action.get("type") != "redirect":
        return redirect(f"{page_url(Kind.INVOICE, id)}#pay")
    context = {
        "document": document,
        "payment": payment,
        "url": action["url"],
        "provider": PROVIDERS.get(payment.provider, payment.provider),
    }
    return render(request, "billing/pay.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=WRITE_ALL, POST=WRITE_ALL)
def book(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Book money that came by bank or cash."""
    actor = cast(User, request.user)
    try:
        document = document_of(actor, id, Kind.INVOICE)
    except NotFound as error:
        return error_response(request, error)
    due = sums_of(document.balance).due
    given = {
        "amount": shown(f"{due:.{document.exponent}f}", document.currency) if due else "",
        "paid_on": times.today().isoformat(),
        "reference": "",
        "method": BANK,
    }
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip() for name in given}

        def work() -> str:
            asked = checked(
                BookSerializer,
                {
                    "amount": amount_in(given, "amount", document.currency),
                    "paid_on": day_in(given, "paid_on"),
                    "reference": given["reference"],
                    "method": given["method"] or BANK,
                },
            )
            payment_book(actor=actor, document=document, **asked)
            return page_url(Kind.INVOICE, id)

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, _("The payment is booked."))
            return redirect(url)
    context = {
        "document": document,
        "due": due,
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "methods": [(name, PROVIDERS[name]) for name in (BANK, "cash")],
        "back": reverse("billing_invoice", args=[id]),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/book.html", context, status=status)
