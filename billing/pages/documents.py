"""The pages of one invoice and of one credit note, for its customer and for finance."""

import uuid
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Caller, may_read_purchases, may_see_everything
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from billing.invoices.flags import flags_of
from billing.invoices.models import Document, Kind
from billing.invoices.selectors import document_of
from billing.pages.files import files_of, missing_terms
from billing.pages.paying import ways_to_pay
from billing.pages.shown import LINES_SHOWN, ShownDocument, part_of, shown_document
from billing.pages.wording import FLAGS, PAYMENTS, PROVIDERS
from billing.payments.models import Payment
from billing.payments.selectors import timeline_of
from billing.reference import check_path
from shop.core.errors import NotFound, error_response

READ = needs(P.BILLING_READ)


@require_safe
@requires(GET=READ)
def invoice(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show an invoice: its lines, what is paid and credited, and how to pay."""
    user = cast(User, request.user)
    try:
        document = document_of(user, id, Kind.INVOICE)
    except NotFound as error:
        return error_response(request, error)
    shown = shown_document(document)
    flags = flags_of([document.balance])[document.pk]
    writes = allows(user.permissions, P.BILLING_WRITE_ALL)
    manages = allows(user.permissions, P.BILLING_READ_ALL)
    context = {
        **_context(request, document, shown),
        "back": reverse("billing_manage" if manages else "billing_home"),
        # A customer reads of disputes and refunds in what happened.
        "flags": [FLAGS[flag] for flag in flags if flag in FLAGS] if manages else [],
        "payments": _payments(document) if manages else [],
        "pay": ways_to_pay(user, document),
        "may_write": writes,
        "acts": _acts(document, shown) if writes else [],
        "missing_terms": missing_terms(shown.content, shown.buyer) if manages else "",
    }
    return render(request, "billing/invoice.html", context)


@require_safe
@requires(GET=READ)
def credit_note(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show a credit note."""
    user = cast(User, request.user)
    try:
        document = document_of(user, id, Kind.CREDIT_NOTE)
    except NotFound as error:
        return error_response(request, error)
    shown = shown_document(document)
    manages = allows(user.permissions, P.BILLING_READ_ALL)
    context = {
        **_context(request, document, shown),
        "may_write": allows(user.permissions, P.BILLING_WRITE_ALL),
        "missing_terms": missing_terms(shown.content, shown.buyer) if manages else "",
    }
    return render(request, "billing/credit_note.html", context)


def _payments(document: Document) -> list[dict[str, Any]]:
    """Return the payments of an invoice, with their pages."""
    return [
        {
            "url": reverse("billing_payment", args=[row.pk]),
            "name": PROVIDERS.get(row.provider, row.provider),
            "word": PAYMENTS[row.status],
            "amount": row.received or row.amount,
            "moment": row.created_at,
            "reference": row.reference,
        }
        for row in timeline_of(document.pk)
        if isinstance(row, Payment)
    ]


def _acts(document: Document, shown: ShownDocument) -> list[dict[str, Any]]:
    """Return what finance can do with an invoice."""
    acts: list[dict[str, Any]] = [
        {
            "label": _("Record a payment"),
            "url": reverse("billing_book", args=[document.pk]),
            "icon": "banknote",
        }
    ]
    if shown.sums is not None and shown.sums.credited < document.total:
        acts.append(
            {
                "label": _("Credit…"),
                "url": reverse("billing_credit", args=[document.pk]),
                "icon": "undo-2",
            }
        )
    if shown.buyer is not None:
        acts.append({"label": _("Mail it…"), "popover": "send", "icon": "mail"})
    if shown.status != "void":
        acts.append({"label": _("Void…"), "popover": "void", "icon": "ban"})
    return acts


def _context(request: HttpRequest, document: Document, shown: ShownDocument) -> dict[str, Any]:
    caller = Caller.of(request.user)
    own = document.customer_id == caller.id
    everything = may_see_everything(caller)
    return {
        "shown": shown,
        "part": part_of(shown.lines, request.GET.get("line", ""), LINES_SHOWN),
        "files": files_of(document, shown.content, shown.buyer),
        "send_url": reverse(f"billing_{document.kind}_send", args=[document.pk]),
        "idempotency_key": uuid.uuid4(),
        "verify_url": check_path(document.label, bytes(document.hash).hex()),
        "may_see_customer": everything and not own,
        "may_see_purchases": may_read_purchases(caller) and (own or everything),
    }
