"""The page that tells what is stored of whoever reads it, exports it and erases it."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.rules import ON_PAGES, ON_PAGES_RECENT, requires
from personal import exports, services
from personal.kinds import Export
from shop.core.columns import tables
from shop.core.errors import ApplicationError, NotFound, ValidationFailed


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES, POST=ON_PAGES_RECENT)
def data(request: HttpRequest) -> HttpResponse:
    """Show what is stored; with POST make an export, or schedule the erasure."""
    user = cast(User, request.user)
    errors: dict[str, str] = {}
    if request.method == "POST":
        erases = "username" in request.POST
        try:
            if erases:
                services.erasure_schedule(user=user, username=request.POST["username"][:200])
                messages.success(request, _("The account will be erased."))
            else:
                exports.export_request(user=user)
                messages.success(request, _("Your data are being collected."))
            return redirect("personal_data")
        except ValidationFailed as error:
            errors = {"username": str(error.errors[0].detail)}
        except ApplicationError as error:
            errors = {"": str(_(str(error.detail)))}
    return render(
        request, "personal/data.html", _context(user, errors), status=400 if errors else 200
    )


@require_POST
@requires(POST=ON_PAGES)
def cancel(request: HttpRequest) -> HttpResponse:
    """Keep the account."""
    try:
        services.erasure_cancel(user=cast(User, request.user))
        messages.success(request, _("The account stays."))
    except NotFound:
        messages.info(request, _("No erasure is scheduled."))
    return redirect("personal_data")


def _context(user: User, errors: dict[str, str]) -> dict[str, Any]:
    export = exports.exports_of(user).first()
    about = [table for table in tables() if table.what]
    return {
        "errors": errors,
        "labels": {"username": _("Your username")},
        "erasure": services.erasure_of(user),
        "export": export,
        "status": exports.status_of(export) if export else "",
        "expires_at": export.rendered_at + Export().kept()
        if export and export.rendered_at
        else None,
        "stored": [
            (_("Deleted with the account"), [each.what for each in about if not each.kept]),
            (_("Kept without your name"), [each.what for each in about if each.kept]),
        ],
        "kept": [(each.what, each.kept) for each in about if each.kept],
    }
