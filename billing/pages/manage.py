"""Everybody's drafts, invoices and credit notes, for finance and whoever reads them."""

from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from billing.invoices.drafts import composed_of
from billing.invoices.flags import flags_of, sums_of
from billing.invoices.models import Document, Draft
from billing.invoices.selectors import Filters, credit_notes_for, invoices_for, rows_of
from billing.pages.forms import Errors, errors_of
from billing.pages.shown import url_of, words_of
from billing.pages.wording import DRAFT, FLAGS, STATUSES
from shop.core.errors import ValidationFailed
from shop.core.pagination import paginate_keys

READ_ALL = needs(P.BILLING_READ_ALL)
WRITE_ALL = needs(P.BILLING_WRITE_ALL)
FIELDS = ("status", "number", "username", "since", "until")
STATES = {
    "": gettext_lazy("All"),
    "draft": DRAFT[0],
    **{key: word[0] for key, word in STATUSES.items()},
}


def may_write(request: HttpRequest) -> bool:
    """Return whether the caller issues, credits and refunds."""
    return allows(cast(User, request.user).permissions, P.BILLING_WRITE_ALL)


def tabs(current: str, *routes: tuple[str, Any]) -> list[dict[str, Any]]:
    """Return pages that belong together, as the tabs take them."""
    return [
        {"label": label, "url": reverse(route), "current": route == current}
        for route, label in routes
    ]


def invoice_tabs(current: str) -> list[dict[str, Any]]:
    """Return the pages about invoices."""
    return tabs(
        current,
        ("billing_manage", _("Invoices")),
        ("billing_manage_credit_notes", _("Credit notes")),
        ("billing_runs", _("Runs")),
        ("billing_taxes", _("Tax rates")),
    )


@require_safe
@requires(GET=READ_ALL)
def invoices(request: HttpRequest) -> HttpResponse:
    """Show drafts and invoices, newest first, by the filters of the address."""
    user = cast(User, request.user)
    given = {name: request.GET.get(name, "").strip() for name in FIELDS}
    errors: Errors = {}
    page: Any = None
    try:
        filters = Filters.read({name: text for name, text in given.items() if text})
        page = paginate_keys(invoices_for(user, filters), cursor=request.GET.get("cursor"))
    except ValidationFailed as error:
        errors = errors_of(error)
    query = {name: value for name, value in given.items() if value}
    context = {
        "tabs": invoice_tabs("billing_manage"),
        "rows": rows(rows_of(page.items)) if page else [],
        "pages": page.links(urlencode(query)) if page else {},
        "given": given,
        "errors": errors,
        "labels": {"since": _("From"), "until": _("To"), "number": _("Number")},
        "states": [
            (word, _address(query, status=state), state == given["status"])
            for state, word in STATES.items()
        ],
        "chips": _chips(query),
        "filtered": bool(query),
        "may_write": may_write(request),
    }
    return render(request, "billing/manage.html", context, status=400 if errors else 200)


@require_safe
@requires(GET=READ_ALL)
def credit_notes(request: HttpRequest) -> HttpResponse:
    """Show everybody's credit notes."""
    page: Any = None
    wrong = ""
    try:
        parts = credit_notes_for(cast(User, request.user), Filters())
        page = paginate_keys(parts, cursor=request.GET.get("cursor"))
    except ValidationFailed as error:
        wrong = _(error.errors[0].detail)
    context = {
        "tabs": invoice_tabs("billing_manage_credit_notes"),
        "rows": page.items if page else [],
        "pages": page.links() if page else {},
        "wrong": wrong,
        "customers": True,
    }
    return render(request, "billing/credit_notes.html", context, status=400 if wrong else 200)


def rows(found: list[Draft | Document]) -> list[dict[str, Any]]:
    """Return drafts and invoices as the rows of a list."""
    flags = flags_of([row.balance for row in found if isinstance(row, Document)])
    shown: list[dict[str, Any]] = []
    for row in found:
        if isinstance(row, Draft):
            total = composed_of(row).body.total
            url = reverse("billing_draft", args=[row.pk])
            more: dict[str, Any] = {"label": "", "total": total, "due": None, "words": [DRAFT]}
        else:
            url = url_of(row)
            words = [*words_of(row.balance)]
            words += [FLAGS[flag][0] for flag in flags[row.pk] if flag in FLAGS]
            more = {
                "label": row.label,
                "total": row.total,
                "due": sums_of(row.balance).due,
                "words": words,
            }
        shown.append({"document": row, "url": url, **more})
    return shown


def _address(query: dict[str, str], **changed: str) -> str:
    kept = {name: value for name, value in {**query, **changed}.items() if value}
    return f"?{urlencode(kept)}" if kept else reverse("billing_manage")


def _chips(query: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"label": value, "url": _address(query, **{name: ""})}
        for name, value in query.items()
        if name != "status"
    ]
