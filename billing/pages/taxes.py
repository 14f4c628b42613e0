"""Tax rates, for finance."""

import uuid
from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import requires
from billing.invoices.composing import first_moment
from billing.pages.forms import Errors, amount_in, checked, day_in, submitted
from billing.pages.manage import READ_ALL, WRITE_ALL, invoice_tabs, may_write
from billing.pages.wording import CATEGORIES
from billing.taxes.models import ItemTax, TaxRate
from billing.taxes.rates import STANDARD, day_of_supply, default_code
from billing.taxes.serializers import ItemTaxSerializer, TaxRateSerializer
from billing.taxes.services import (
    RATES_MAX,
    check_rate,
    item_tax_delete,
    item_tax_set,
    rate_create,
    rate_delete,
)
from purchases.models import ITEM_MAX_LENGTH, Purchase
from shop.core import times
from shop.core.errors import NotFound
from shop.core.text import printable

ITEMS_SHOWN = 100
"""Items with a code of their own that one page shows, by the beginning of their names."""
LABELS = {
    "code": gettext_lazy("Code"),
    "category": gettext_lazy("Category"),
    "rate": gettext_lazy("Rate in percent"),
    "valid_from": gettext_lazy("From"),
    "exemption": gettext_lazy("Why there is no tax"),
    "item": gettext_lazy("Item"),
    "item_code": gettext_lazy("Code of the item"),
}
DONE = {
    "": gettext_lazy("The rate is added."),
    "delete": gettext_lazy("The rate is deleted."),
    "item": gettext_lazy("The item has its code."),
    "item-delete": gettext_lazy("The item is taxed like most again."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def tax_rates(request: HttpRequest) -> HttpResponse:
    """Show rates, and items that are not taxed like most; add or delete one of them by POST."""
    given = {
        "code": STANDARD,
        "category": "S",
        "rate": "",
        "valid_from": times.today().replace(month=1, day=1).isoformat(),
        "exemption": "",
        "item": "",
        "item_code": "",
    }
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        action = request.POST.get("action", "")
        if not action.endswith("delete"):
            given |= {name: request.POST[name].strip() for name in given if name in request.POST}
        url, errors, status = submitted(request, lambda: _act(request, action, given))
        if url:
            messages.success(request, DONE.get(action, DONE[""]))
            return redirect(url)
        if action == "item" and "code" in errors:
            errors["item_code"] = errors.pop("code")
    rates = list(TaxRate.objects.order_by("code", "-valid_from")[:RATES_MAX])
    begins = request.GET.get("item", "").strip()[:ITEM_MAX_LENGTH]
    items = ItemTax.objects.order_by("item")
    if begins and printable(begins):
        items = items.filter(item__startswith=begins)
    context = {
        "tabs": invoice_tabs("billing_taxes"),
        "untaxed": untaxed(),
        "items": items[:ITEMS_SHOWN],
        "begins": begins,
        "codes": [(code, code) for code in dict.fromkeys(rate.code for rate in rates)],
        "rates": [(rate, CATEGORIES.get(rate.category, rate.category)) for rate in rates],
        "default": default_code(rates),
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "categories": [(code, f"{code} · {words}") for code, words in CATEGORIES.items()],
        "may_write": may_write(request),
        "idempotency_key": uuid.uuid4(),
        "item_key": uuid.uuid4(),
    }
    return render(request, "billing/taxes.html", context, status=status)


def untaxed() -> str:
    """Return what to know before invoicing: which purchases no rate is for, if there are any.

    It is the oldest purchase that counts, so it costs one look at an index.
    """
    oldest = Purchase.objects.filter(timestamp__gte=first_moment()).order_by("timestamp").first()
    if oldest is None:
        return ""
    rates = list(TaxRate.objects.order_by("valid_from")[:RATES_MAX])
    if not rates:
        return _("There is no tax rate, so invoices say that nothing is subject to tax.")
    default = default_code(rates)
    first = next(rate.valid_from for rate in rates if rate.code == default)
    if day_of_supply(oldest.timestamp) >= first:
        return ""
    words = _(
        "The first rate of %(code)s is of %(day)s, and the oldest purchase is of %(oldest)s. "
        "What was bought before the first rate is invoiced as not subject to tax."
    )
    bought = day_of_supply(oldest.timestamp)
    return words % {"code": default, "day": times.day(first), "oldest": times.day(bought)}


def _act(request: HttpRequest, action: str, given: Mapping[str, str]) -> str:
    """Do what a form of the page asks for; return where to go then."""
    actor = cast(User, request.user)
    if action == "delete":
        number = request.POST.get("id", "")
        known = number.isascii() and number.isdigit() and len(number) < 10
        rate_delete(actor=actor, id=int(number) if known else 0)
    elif action == "item-delete":
        item = request.POST.get("item", "")
        if not printable(item):
            raise NotFound
        item_tax_delete(actor=actor, item=item)
    elif action == "item":
        asked = {"item": given["item"], "code": given["item_code"]}
        item_tax_set(actor=actor, **checked(ItemTaxSerializer, asked))
    else:
        rate: dict[str, Any] = {**given, "rate": amount_in(given, "rate", "")}
        rate["valid_from"] = day_in(given, "valid_from")
        read = checked(TaxRateSerializer, rate)
        check_rate(
            category=read["category"], rate=read["rate"], exemption=read.get("exemption", "")
        )
        rate_create(actor=actor, **read)
    return request.path
