"""Payments, refunds and disputes, for finance."""

import uuid
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.rules import requires
from billing.invoices.flags import sums_of
from billing.invoices.models import Balance
from billing.pages.forms import Errors, amount_in, checked, day_in, errors_of, submitted
from billing.pages.manage import READ_ALL, WRITE_ALL, may_write, tabs
from billing.pages.wording import DISPUTES, PAYMENTS, PROVIDERS, REFUNDS, Word
from billing.payments.chargebacks import chargeback_close, chargeback_open
from billing.payments.models import Chargeback, Payment
from billing.payments.providers.registry import provider_named
from billing.payments.refunds import is_disputed, left_of, refund_fail, refund_request
from billing.payments.selectors import movement_of, movements_for
from billing.payments.serializers import (
    ChargebackRequestSerializer,
    RefundFailedSerializer,
    RefundRequestSerializer,
)
from shop.core import times
from shop.core.errors import ApplicationError, NotFound, ValidationFailed, error_response
from shop.core.pagination import paginate_keys

KINDS: dict[str, tuple[str, Any, dict[str, Word]]] = {
    "payments": ("billing_payments", gettext_lazy("Payments"), PAYMENTS),
    "refunds": ("billing_refunds", gettext_lazy("Refunds"), REFUNDS),
    "chargebacks": ("billing_disputes", gettext_lazy("Disputes"), DISPUTES),
}
LABELS = {
    "amount": gettext_lazy("Amount"),
    "reason": gettext_lazy("Reason"),
    "reference": gettext_lazy("Reference"),
    "opened_on": gettext_lazy("Day"),
}

DONE = {
    "refund": gettext_lazy("The refund is asked for."),
    "dispute": gettext_lazy("The dispute is recorded."),
    "failed": gettext_lazy("It is recorded that the refund did not arrive."),
}


@require_safe
@requires(GET=READ_ALL)
def payments(request: HttpRequest) -> HttpResponse:
    """Show payments, newest first."""
    return _list(request, "payments")


@require_safe
@requires(GET=READ_ALL)
def refunds(request: HttpRequest) -> HttpResponse:
    """Show refunds, newest first."""
    return _list(request, "refunds")


@require_safe
@requires(GET=READ_ALL)
def disputes(request: HttpRequest) -> HttpResponse:
    """Show disputes, newest first."""
    return _list(request, "chargebacks")


def _list(request: HttpRequest, kind: str) -> HttpResponse:
    route, title, words = KINDS[kind]
    status = request.GET.get("status", "")
    page: Any = None
    wrong = ""
    try:
        found = movements_for(cast(User, request.user), kind, {"status": status})
        page = paginate_keys([found], cursor=request.GET.get("cursor"))
    except ValidationFailed as error:
        wrong, status = _(error.errors[0].detail), ""
    query = {"status": status} if status else {}
    context = {
        "tabs": payment_tabs(route),
        "title": title,
        "kind": kind,
        "states": [
            (_("All"), reverse(route), not status),
            *(
                (word[0], f"?{urlencode({'status': key})}", key == status)
                for key, word in words.items()
            ),
        ],
        "rows": [_row(row, words) for row in page.items] if page else [],
        "pages": page.links(urlencode(query)) if page else {},
        "wrong": wrong,
        "filtered": bool(status),
    }
    return render(request, "billing/movements.html", context, status=400 if wrong else 200)


def payment_tabs(current: str) -> list[dict[str, Any]]:
    """Return the pages about money."""
    kinds = ((route, title) for route, title, _words in KINDS.values())
    return tabs(current, *kinds, ("billing_bank", _("Bank statements")))


def _row(row: Any, words: dict[str, Word]) -> dict[str, Any]:
    payment = row if isinstance(row, Payment) else None
    return {
        "row": row,
        "url": reverse("billing_payment", args=[payment.pk if payment else row.payment_id]),
        "word": words[row.status],
        "name": PROVIDERS.get(row.provider, row.provider),
        "amount": (payment.received or payment.amount) if payment else row.amount,
        "text": payment.reference if payment else row.reason,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def payment(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show a payment, what went back of it, and its disputes; refund or dispute it by POST."""
    actor = cast(User, request.user)
    try:
        found = movement_of(actor, "payments", id)
    except NotFound as error:
        return error_response(request, error)
    action = request.POST.get("action", "")
    given = {name: request.POST.get(name, "").strip() for name in (*LABELS, "refund")}
    errors: Errors = {}
    status = 200
    if request.method == "POST":

        def work() -> str:
            _act(actor, found, action, given)
            return request.path

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, DONE.get(action, DONE["refund"]))
            return redirect(url)
    overpaid = sums_of(Balance.objects.get(pk=found.document_id)).overpaid
    left = left_of(found)
    received = found.status == Payment.Status.SUCCEEDED
    by_hand = not provider_named(found.provider).books_itself
    refundable = min(overpaid, left)
    context = {
        "tabs": payment_tabs(""),
        "payment": found,
        "amount": found.received or found.amount,
        "word": PAYMENTS[found.status],
        "provider": PROVIDERS.get(found.provider, found.provider),
        "left": left if received else None,
        "refundable": refundable,
        "refunds": [
            (each, REFUNDS[each.status], by_hand and each.status == "succeeded")
            for each in found.refunds.order_by("-id")[:100]
        ],
        "disputes": [
            (each, DISPUTES[each.status], not each.by_provider and each.status == "opened")
            for each in found.chargebacks.order_by("-id")[:100]
        ],
        "may_write": may_write(request),
        "may_refund": received and refundable > 0 and not is_disputed(found),
        "may_dispute": received and left > 0 and by_hand,
        "action": action,
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "today": times.today().isoformat(),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/payment.html", context, status=status)


def _act(actor: User, payment: Payment, action: str, given: dict[str, str]) -> None:
    """Do what a form of the page asks for."""
    if action == "failed":
        refund = movement_of(actor, "refunds", given["refund"])
        read = checked(RefundFailedSerializer, {"reason": _("Sent back")})
        refund_fail(actor=actor, refund=refund, **read)
        return
    asked = {
        "amount": amount_in(given, "amount", payment.currency),
        "reason": given["reason"],
    }
    if action == "dispute":
        asked |= {"reference": given["reference"], "opened_on": day_in(given, "opened_on")}
        read = checked(ChargebackRequestSerializer, asked)
        chargeback_open(actor=actor, payment=payment, **read)
    else:
        read = checked(RefundRequestSerializer, asked)
        refund_request(actor=actor, payment=payment, **read)


@require_POST
@requires(POST=WRITE_ALL)
def verdict(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Record what became of a dispute. The same again changes nothing."""
    actor = cast(User, request.user)
    said = request.POST.get("verdict", "")
    try:
        dispute: Chargeback = movement_of(actor, "chargebacks", id)
        if said not in (Chargeback.Status.WON, Chargeback.Status.LOST):
            raise NotFound
        chargeback_close(actor=actor, chargeback=dispute, verdict=said)
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        for text in errors_of(error).values():
            messages.error(request, text)
    else:
        messages.success(request, _("The verdict is recorded."))
    return redirect("billing_payment", dispute.payment_id)
