"""A customer's own pages: what is owed, invoices, and credit notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Greatest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from billing.invoices.flags import sums_of
from billing.invoices.models import Balance, Document, Kind
from billing.pages.shown import site_day, url_of, words_of
from shop.core.errors import ValidationFailed
from shop.core.pagination import paginate

READ = needs(P.BILLING_READ)
OPEN = (Balance.Status.OPEN, Balance.Status.PARTIALLY_PAID)
OPEN_MAX = 100
"""Invoices that wait to be paid which one page shows."""
_DUE = Greatest(
    F("total") - F("credited") - F("paid") + F("refunded") + F("charged_back"), Decimal(0)
)


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody owes in one currency."""

    currency: str
    amount: Decimal
    invoices: int
    overdue: int


def owed_by(customer_id: int) -> list[Owed]:
    """Return what a customer owes, by currency; nothing if all is paid."""
    late = Q(due_on__lt=site_day())
    rows = (
        Balance.objects.filter(customer=customer_id, status__in=OPEN)
        .values("currency")
        .annotate(amount=Sum(_DUE), invoices=Count("pk"), overdue=Count("pk", filter=late))
        .order_by("currency")
    )
    return [Owed(**row) for row in rows]


def invoice_rows(balances: Sequence[Balance]) -> list[dict[str, Any]]:
    """Return invoices as the rows of a list; each balance has its document."""
    return [
        {
            "document": balance.document,
            "url": url_of(balance.document),
            "words": words_of(balance),
            "total": balance.total,
            "due": sums_of(balance).due,
        }
        for balance in balances
    ]


def open_invoices(customer_id: int, most: int = OPEN_MAX) -> QuerySet[Balance]:
    """Return the invoices that a customer has to pay, the first due first."""
    waiting = Balance.objects.filter(customer=customer_id, status__in=OPEN)
    waiting = waiting.select_related("document").defer("document__canonical")
    return waiting.order_by(F("due_on").asc(nulls_last=True), "pk")[:most]


def tabs(current: str) -> list[dict[str, Any]]:
    """Return the pages of a customer's billing."""
    pages = [
        ("billing_home", _("Invoices")),
        ("billing_credit_notes", _("Credit notes")),
        ("billing_address", _("Address")),
    ]
    return [
        {"label": label, "url": reverse(route), "current": route == current}
        for route, label in pages
    ]


@require_safe
@requires(GET=READ)
def home(request: HttpRequest) -> HttpResponse:
    """Show what the caller owes, and all its invoices."""
    user = cast(User, request.user)
    documents = Document.objects.filter(customer=user, kind=Kind.INVOICE)
    page, wrong = page_of(request, documents.select_related("balance").defer("canonical"))
    waiting = list(open_invoices(user.pk)) if not request.GET.get("cursor") else []
    for balance in waiting:
        balance.document.balance = balance
    context = {
        "tabs": tabs("billing_home"),
        "owed": owed_by(user.pk),
        "waiting": invoice_rows(waiting),
        "rows": invoice_rows([_balance(each) for each in page.items]) if page else [],
        "pages": page.links() if page else {},
        "wrong": wrong,
    }
    return render(request, "billing/home.html", context, status=400 if wrong else 200)


@require_safe
@requires(GET=READ)
def credit_notes(request: HttpRequest) -> HttpResponse:
    """Show the caller's credit notes."""
    documents = Document.objects.filter(customer=cast(User, request.user), kind=Kind.CREDIT_NOTE)
    page, wrong = page_of(
        request, documents.select_related("corrects").defer("canonical", "corrects__canonical")
    )
    context = {
        "tabs": tabs("billing_credit_notes"),
        "rows": page.items if page else [],
        "pages": page.links() if page else {},
        "wrong": wrong,
    }
    return render(request, "billing/credit_notes.html", context, status=400 if wrong else 200)


def page_of(
    request: HttpRequest, rows: QuerySet[Any], moment_field: str = "issued_at"
) -> tuple[Any, str]:
    """Return the page of a list that the address asks for, or ``None`` and what is wrong."""
    try:
        return paginate(rows, cursor=request.GET.get("cursor"), moment_field=moment_field), ""
    except ValidationFailed as error:
        return None, _(error.errors[0].detail)


def _balance(document: Document) -> Balance:
    balance = document.balance
    balance.document = document
    return balance
