"""Making drafts, seeing exactly what they will say, changing, discarding and issuing them."""

import uuid
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Caller, may_read_purchases, may_see_everything
from accounts.models import User
from accounts.rules import requires
from billing.invoices.composing import Request
from billing.invoices.drafts import (
    composed_of,
    draft_change,
    draft_create,
    draft_delete,
    draft_issue,
    due_days_of,
    request_of,
)
from billing.invoices.models import Document, Draft, Kind
from billing.invoices.serializers import DraftChangeSerializer
from billing.pages.files import missing_in_draft
from billing.pages.forms import Errors, amount_in, checked, day_in, errors_of, submitted, wrong
from billing.pages.manage import READ_ALL, WRITE_ALL, invoice_tabs, may_write
from billing.pages.shown import LINES_SHOWN, lines_of, page_url, part_of
from billing.parties.buyers import buyer_of
from billing.site_settings import BILLING_DUE_DAYS
from purchases.currencies import currencies
from shop.core.errors import ApplicationError, NotFound, error_response

DISCOUNTS = 3
"""Discounts that the form has room for, besides those that the draft has."""
LABELS = {
    "customer": gettext_lazy("Customer"),
    "since": gettext_lazy("Bought from"),
    "until": gettext_lazy("Bought to"),
    "currency": gettext_lazy("Currency"),
    "coupons": gettext_lazy("Coupons"),
    "due_days": gettext_lazy("Days to pay"),
    "purchases": gettext_lazy("Purchases"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=WRITE_ALL, POST=WRITE_ALL)
def make(request: HttpRequest) -> HttpResponse:
    """Ask for a draft of what a customer bought and no invoice says yet."""
    given: dict[str, Any] = {
        "customer": request.GET.get("customer", ""),
        "due_days": str(BILLING_DUE_DAYS.value),
        "discounts": _rows({}),
    }
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = _typed(request.POST)
        actor = cast(User, request.user)

        def work() -> str:
            customer = _customer(given["customer"])
            asked = {
                name: value
                for name, value in _asked(given, given["currency"]).items()
                if value is not None
            }
            draft = draft_create(actor, customer, msgspec.convert(asked, Request))
            return reverse("billing_draft", args=[draft.pk])

        url, errors, status = submitted(request, work)
        if url:
            return redirect(url)
    context = {
        "tabs": invoice_tabs(""),
        "given": given,
        "errors": _named(errors),
        "labels": _labels(),
        "currencies": [("", _("The only one")), *((code, code) for code in sorted(currencies()))],
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/draft_make.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def draft(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show what an invoice will say when it is issued; compose it anew by POST."""
    actor = cast(User, request.user)
    found = Draft.objects.select_related("customer").filter(pk=id).first()
    if found is None:
        if Document.objects.filter(pk=id).exists():
            return redirect(page_url(Kind.INVOICE, id))
        return error_response(request, NotFound())
    errors: Errors = {}
    status = 200
    given = _of(found)
    if request.method == "POST":
        given = _typed(request.POST)

        def work() -> str:
            draft_change(actor, id, _asked(given, given["currency"]))
            return request.path

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, _("The draft is composed anew."))
            return redirect(url)
    body = composed_of(found).body
    buyer = buyer_of(found.customer_id)
    caller = Caller.of(actor)
    context = {
        "tabs": invoice_tabs(""),
        "draft": found,
        "body": body,
        "part": part_of(lines_of(body, {}), request.GET.get("line", ""), LINES_SHOWN),
        "buyer": buyer,
        "missing_terms": missing_in_draft(found, body, buyer),
        "due_days": due_days_of(found),
        "given": given,
        "errors": _named(errors),
        "labels": _labels(),
        "currencies": [("", _("The only one")), *((code, code) for code in sorted(currencies()))],
        "may_write": may_write(request),
        "may_see_customer": may_see_everything(caller),
        "may_see_purchases": may_read_purchases(caller) and may_see_everything(caller),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/draft.html", context, status=status)


@require_POST
@requires(POST=WRITE_ALL)
def issue(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Issue a draft as it was previewed. Again: the same invoice."""
    try:
        document, _replayed = draft_issue(cast(User, request.user), id)
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        _tell(request, error)
        return redirect("billing_draft", id)
    messages.success(request, _("Issued as %(number)s.") % {"number": document.label})
    return redirect(page_url(Kind.INVOICE, document.pk))


@require_POST
@requires(POST=WRITE_ALL)
def discard(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Discard a draft. What it was about can be invoiced again."""
    try:
        draft_delete(cast(User, request.user), id)
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        _tell(request, error)
        return redirect(page_url(Kind.INVOICE, id))
    messages.success(request, _("The draft is discarded."))
    return redirect("billing_manage")


def _tell(request: HttpRequest, error: ApplicationError) -> None:
    for text in _named(errors_of(error)).values():
        messages.error(request, text)


def _customer(name: str) -> User:
    found = User.objects.known_as(name.strip()) if name.strip() else set()
    if len(found) != 1:
        detail = _("There is no customer with this name or userid.")
        if found:
            detail = _("Two accounts have this name. Give the userid.")
        raise wrong("customer", detail)
    return User.objects.get(pk=found.pop())


def _typed(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what was typed, so that nothing of it is lost."""
    names = ("customer", "since", "until", "currency", "coupons", "due_days")
    return {**{name: form.get(name, "").strip() for name in names}, "discounts": _rows(form)}


def _rows(form: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the discounts of a form, each with its value, its reason and its lines."""
    rows = []
    for number in range(1, 21):
        row = {
            name: form.get(f"{name}_{number}", "").strip() for name in ("value", "reason", "lines")
        }
        if any(row.values()) or number <= DISCOUNTS:
            rows.append({"number": str(number), **row})
    return rows


def _of(draft: Draft) -> dict[str, Any]:
    """Return the form of what was asked for."""
    asked = request_of(draft)
    form: dict[str, str] = {}
    for number, discount in enumerate(asked.discounts, 1):
        percent = discount.percent
        form[f"value_{number}"] = f"{percent} %" if percent is not None else str(discount.amount)
        form[f"reason_{number}"] = discount.reason
        form[f"lines_{number}"] = ", ".join(map(str, discount.lines or []))
    return {
        "since": (asked.since or "")[:10],
        "until": (asked.until or "")[:10],
        "currency": asked.currency,
        "coupons": ", ".join(asked.coupons),
        "due_days": str(due_days_of(draft)),
        "discounts": _rows(form),
    }


def _asked(given: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Return what the form asks for, as the API takes it. Raise ``ValidationFailed``."""
    discounts = []
    for row in given["discounts"]:
        if not any(row[name] for name in ("value", "reason", "lines")):
            continue
        number = row["number"]
        one: dict[str, Any] = {"reason": row["reason"]}
        if row["value"].endswith("%"):
            form = {f"value_{number}": row["value"][:-1].strip()}
            one["percent"] = amount_in(form, f"value_{number}", "")
        else:
            one["amount"] = amount_in(
                {f"value_{number}": row["value"]}, f"value_{number}", currency
            )
        if row["lines"]:
            one["lines"] = [each.strip() for each in row["lines"].split(",")]
        discounts.append(one)
    asked = {
        "since": day_in(given, "since") or None,
        "until": day_in(given, "until") or None,
        "currency": currency or None,
        "coupons": [each for each in given["coupons"].replace(",", " ").split() if each],
        "discounts": discounts,
        "due_days": given["due_days"] or None,
    }
    return checked(DraftChangeSerializer, asked)


def _labels() -> dict[str, Any]:
    return {
        **LABELS,
        **{f"value_{number}": _("Discount") for number in range(1, 21)},
    }


def _named(errors: Errors) -> Errors:
    """Return the errors under the names of the form's fields, some in other words."""
    named: Errors = {}
    for name, detail in errors.items():
        if name.startswith("discounts"):
            digits = "".join(each for each in name if each.isdigit()) or "1"
            base = 0 if "_" in name else 1
            named[f"value_{int(digits) + base}"] = detail
        elif name.startswith("coupon"):
            named["coupons"] = detail
        elif name == "purchases":
            named[""] = _("Some of these purchases are on an invoice already. Compose it anew.")
        else:
            named[name if name in LABELS else ""] = detail
    return named
