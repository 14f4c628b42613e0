"""The name and the address that a customer's next invoice shows."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from billing.pages.customers import tabs
from billing.pages.forms import Errors, checked, errors_of
from billing.parties.profiles import FIELDS, profile_of, profile_set
from billing.parties.serializers import ProfileSerializer
from shop.core.countries import country_choices
from shop.core.errors import ApplicationError

LABELS = {
    "name": gettext_lazy("Name"),
    "address": gettext_lazy("Address"),
    "country": gettext_lazy("Country"),
    "vat_id": gettext_lazy("VAT id"),
}
CHECKS = {
    "valid": (gettext_lazy("The EU's register knows this VAT id."), "good", "circle-check"),
    "invalid": (gettext_lazy("The EU's register does not know this VAT id."), "bad", "circle-x"),
    "unchecked": (gettext_lazy("This VAT id is not checked yet."), "", "clock"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.BILLING_READ), POST=needs(P.BILLING_WRITE))
def profile(request: HttpRequest) -> HttpResponse:
    """Show and write the caller's own profile."""
    user = cast(User, request.user)
    kept = profile_of(user)
    given = {name: getattr(kept, name) for name in FIELDS}
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip() for name in FIELDS}
        try:
            read = checked(ProfileSerializer, given)
            profile_set(actor=user, account=user, **{name: read[name] for name in FIELDS})
        except ApplicationError as error:
            errors, status = errors_of(error), error.status
        else:
            messages.success(request, _("Saved. Your next invoice shows it."))
            return redirect(request.path)
    context = {
        "tabs": tabs("billing_address"),
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "countries": [("", "–"), *country_choices()],
        "check": CHECKS[kept.vat_check] if kept.vat_id else None,
    }
    return render(request, "billing/profile.html", context, status=status)
