"""Tax rates, for finance."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import requires
from billing.pages.forms import Errors, amount_in, checked, day_in, submitted
from billing.pages.manage import READ_ALL, WRITE_ALL, invoice_tabs, may_write
from billing.pages.wording import CATEGORIES
from billing.taxes.models import TaxRate
from billing.taxes.rates import STANDARD, default_code
from billing.taxes.serializers import TaxRateSerializer
from billing.taxes.services import RATES_MAX, check_rate, rate_create, rate_delete
from shop.core import times

LABELS = {
    "code": gettext_lazy("Code"),
    "category": gettext_lazy("Category"),
    "rate": gettext_lazy("Rate in percent"),
    "valid_from": gettext_lazy("From"),
    "exemption": gettext_lazy("Why there is no tax"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def tax_rates(request: HttpRequest) -> HttpResponse:
    """Show the rates by code and day; add or delete one by POST."""
    actor = cast(User, request.user)
    given = {
        "code": STANDARD,
        "category": "S",
        "rate": "",
        "valid_from": times.today().replace(month=1, day=1).isoformat(),
        "exemption": "",
    }
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        action = request.POST.get("action")
        if action != "delete":
            given = {name: request.POST.get(name, "").strip() for name in given}

        def work() -> str:
            if action == "delete":
                number = request.POST.get("id", "")
                known = number.isascii() and number.isdigit() and len(number) < 10
                rate_delete(actor=actor, id=int(number) if known else 0)
                return request.path
            asked: dict[str, Any] = {**given, "rate": amount_in(given, "rate", "")}
            asked["valid_from"] = day_in(given, "valid_from")
            read = checked(TaxRateSerializer, asked)
            check_rate(
                category=read["category"], rate=read["rate"], exemption=read.get("exemption", "")
            )
            rate_create(actor=actor, **read)
            return request.path

        url, errors, status = submitted(request, work)
        if url:
            done = _("The rate is deleted.") if action == "delete" else _("The rate is added.")
            messages.success(request, done)
            return redirect(url)
    rates = list(TaxRate.objects.order_by("code", "-valid_from")[:RATES_MAX])
    context = {
        "tabs": invoice_tabs("billing_taxes"),
        "rates": [(rate, CATEGORIES.get(rate.category, rate.category)) for rate in rates],
        "default": default_code(rates),
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "categories": [(code, f"{code} · {words}") for code, words in CATEGORIES.items()],
        "may_write": may_write(request),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/taxes.html", context, status=status)
