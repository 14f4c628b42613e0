"""The pages of one invoice and of one credit note, for its customer and for finance."""

import uuid
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import Caller, may_read_purchases, may_see_everything
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from billing.invoices.models import Document, Kind
from billing.invoices.selectors import document_of
from billing.pages.shown import ShownDocument, shown_document
from shop.core.errors import NotFound, error_response

READ = needs(P.BILLING_READ)


@require_safe
@requires(GET=READ)
def invoice(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show an invoice: its lines, what is paid and credited, and how to pay."""
    user = cast(User, request.user)
    caller = Caller.of(user)
    try:
        document = document_of(user, id, Kind.INVOICE)
    except NotFound as error:
        return error_response(request, error)
    shown = shown_document(document)
    context = {
        **_context(caller, document, shown),
        "back": reverse("billing_home"),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/invoice.html", context)


@require_safe
@requires(GET=READ)
def credit_note(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show a credit note."""
    user = cast(User, request.user)
    caller = Caller.of(user)
    try:
        document = document_of(user, id, Kind.CREDIT_NOTE)
    except NotFound as error:
        return error_response(request, error)
    context = _context(caller, document, shown_document(document))
    return render(request, "billing/credit_note.html", context)


def _context(caller: Caller, document: Document, shown: ShownDocument) -> dict[str, Any]:
    own = document.customer_id == caller.id
    everything = may_see_everything(caller)
    return {
        "shown": shown,
        "may_see_customer": everything and not own,
        "may_see_purchases": may_read_purchases(caller) and (own or everything),
    }
