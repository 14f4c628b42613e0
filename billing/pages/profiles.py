"""The name and the address that a customer's next invoice shows."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from billing.pages.customers import tabs
from billing.pages.forms import Errors, checked, errors_of
from billing.pages.manage import READ_ALL, WRITE_ALL, may_write
from billing.parties.profiles import FIELDS, account_of, profile_of, profile_set
from billing.parties.serializers import ProfileSerializer
from shop.core.countries import country_choices
from shop.core.errors import ApplicationError, error_response

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
    may = allows(user.permissions, P.BILLING_WRITE)
    return _profile(request, user, {"tabs": tabs("billing_address"), "may_write": may})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def customer_profile(request: HttpRequest, userid: str) -> HttpResponse:
    """Show and write the profile of a customer, for finance."""
    try:
        account = account_of(
            cast(User, request.user), username="", userid=userid, change=request.method == "POST"
        )
    except ApplicationError as error:
        return error_response(request, error)
    return _profile(request, account, {"customer": account, "may_write": may_write(request)})


def _profile(request: HttpRequest, account: User, context: dict[str, Any]) -> HttpResponse:
    kept = profile_of(account)
    given = {name: getattr(kept, name) for name in FIELDS}
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip() for name in FIELDS}
        try:
            read = checked(ProfileSerializer, given)
            profile_set(
                actor=cast(User, request.user),
                account=account,
                **{name: read[name] for name in FIELDS},
            )
        except ApplicationError as error:
            errors, status = errors_of(error), error.status
        else:
            messages.success(request, _("Saved. The next invoice shows it."))
            return redirect(request.path)
    context |= {
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "countries": [("", "–"), *country_choices()],
        "check": CHECKS[kept.vat_check] if kept.vat_id else None,
    }
    return render(request, "billing/profile.html", context, status=status)
