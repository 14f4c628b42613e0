"""The PDF of a document, which a page waits for, and its mail."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from billing.content import Body, Buyer, Content
from billing.invoices.models import Document, Draft, Kind
from billing.invoices.selectors import document_of
from billing.pages.forms import submitted
from billing.pages.manage import WRITE_ALL
from billing.pages.shown import page_url, site_day, url_of
from billing.paper.errors import PartyErased
from billing.paper.files import LINES_AT_ONCE, document_send, paper_of
from billing.paper.terms import named, terms_of
from billing.parties.seller import seller
from documents.models import Document as File
from shop.core.errors import ApplicationError, NotFound, error_response

READ = needs(P.BILLING_READ)
_API = {Kind.INVOICE.value: "api_invoice", Kind.CREDIT_NOTE.value: "api_credit_note"}


def files_of(document: Document, content: Content, buyer: Buyer | None) -> list[dict[str, Any]]:
    """Return links to the files of a document; none after the erasure of its buyer."""
    if buyer is None:
        return []
    files = [
        {
            "label": "PDF",
            "url": reverse(f"billing_{document.kind}_pdf", args=[document.pk]),
            "icon": "file-down",
        }
    ]
    if len(content.body.lines) <= LINES_AT_ONCE and not terms_of(content, buyer).missing:
        files.append(
            {
                "label": "XML",
                "url": reverse(f"{_API[document.kind]}_xml", args=[document.pk]),
                "icon": "code",
            }
        )
    return files


def missing_terms(content: Content, buyer: Buyer | None) -> str:
    """Return what a document lacks to be an e-invoice, for finance."""
    return named(terms_of(content, buyer).missing) if buyer else ""


def missing_in_draft(draft: Draft, body: Body, buyer: Buyer) -> str:
    """Return what the invoice of a draft would lack, while it can still be mended."""
    today = site_day()
    content = Content(
        kind=Kind.INVOICE,
        id=draft.pk,
        series="",
        sequence=1,
        number="INV-1",
        issued_on=today,
        due_on=today,
        seller=seller(),
        buyer="",
        body=body,
    )
    return missing_terms(content, buyer)


@require_safe
@requires(GET=READ)
def pdf(request: HttpRequest, kind: str, id: uuid.UUID) -> HttpResponse:
    """Lead to the PDF, or say that it is being made; that page looks again by itself."""
    user = cast(User, request.user)
    try:
        document = document_of(user, id, kind)
        paper = paper_of(document)
    except (NotFound, PartyErased) as error:
        return error_response(request, error)
    if paper.is_stored:
        return redirect(f"{_API[kind]}_pdf", document.pk)
    context = {
        "document": document,
        "back": url_of(document),
        "failed": paper.status == File.Status.FAILED,
    }
    return render(request, "billing/pdf.html", context)


@require_POST
@requires(POST=WRITE_ALL)
def send(request: HttpRequest, kind: str, id: uuid.UUID) -> HttpResponse:
    """Mail a document to its customer, once for a form."""
    actor = cast(User, request.user)
    try:
        document = document_of(actor, id, kind)
    except ApplicationError as error:
        return error_response(request, error)

    def work() -> str:
        document_send(actor=actor, document=document)
        return page_url(kind, id)

    url, errors, _status = submitted(request, work)
    for text in errors.values():
        messages.error(request, text)
    if url:
        messages.success(request, _("It will be mailed to the customer."))
    return redirect(page_url(kind, id))
