"""Runs, for finance: invoices for all customers at once, and how far they are."""

import uuid
from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.rules import requires
from billing.pages.customers import page_of
from billing.pages.forms import Errors, checked, day_in, submitted
from billing.pages.manage import READ_ALL, WRITE_ALL, invoice_tabs, may_write
from billing.pages.taxes import untaxed
from billing.pages.wording import Word
from billing.runs.models import Run
from billing.runs.serializers import RunRequestSerializer, runs_data
from billing.runs.services import run_request
from shop.core import times
from shop.core.errors import NotFound, error_response

STATES: dict[str, Word] = {
    "queued": (gettext_lazy("Waiting"), "", "hourglass"),
    "running": (gettext_lazy("Under way"), "", "loader-circle"),
    "sending": (gettext_lazy("Being mailed"), "", "send"),
    "done": (gettext_lazy("Done"), "good", "circle-check"),
}
REASONS = {
    "too_many_lines": gettext_lazy("There are more than 5000 purchases. Make invoices by hand."),
    "currency_not_billable": gettext_lazy("Nobody can be billed in this currency."),
    "email_not_verified": gettext_lazy("The customer has no verified e-mail address."),
}
LABELS = {"until": gettext_lazy("Bought to")}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def run_list(request: HttpRequest) -> HttpResponse:
    """Show runs, newest first; begin one by POST."""
    # Months are billed when they are over, and what is issued stays.
    last_month = times.today().replace(day=1) - timedelta(days=1)
    given = {"until": last_month.isoformat(), "issue": "on", "send": ""}
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip() for name in given}

        def work() -> str:
            read = checked(
                RunRequestSerializer,
                {
                    "until": day_in(given, "until"),
                    "issue": given["issue"] == "on",
                    "send": given["send"] == "on",
                },
            )
            run = run_request(cast(User, request.user), **read)
            return reverse("billing_run", args=[run.pk])

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, _("The run has begun."))
            return redirect(url)
    page, fault = page_of(request, Run.objects.all(), moment_field="created_at")
    context = {
        "tabs": invoice_tabs("billing_runs"),
        "rows": [(run, STATES[run.status]) for run in page.items] if page else [],
        "pages": page.links() if page else {},
        "wrong": fault,
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "untaxed": untaxed(),
        "may_write": may_write(request),
        "idempotency_key": uuid.uuid4(),
    }
    return render(request, "billing/runs.html", context, status=400 if fault else status)


@require_safe
@requires(GET=READ_ALL)
def run(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show how far a run is, and what failed."""
    found = Run.objects.filter(pk=id).first()
    if found is None:
        return error_response(request, NotFound())
    (data,) = runs_data([found])
    failures: list[dict[str, Any]] = [
        {**each, "reason": REASONS.get(each["code"], each["code"])} for each in data["failures"]
    ]
    context = {
        "tabs": invoice_tabs("billing_runs"),
        "run": found,
        "word": STATES[found.status],
        "failures": failures,
        "under_way": found.status != Run.Status.DONE,
    }
    return render(request, "billing/run.html", context)
