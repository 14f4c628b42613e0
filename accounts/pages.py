"""Pages of accounts: allauth's in one transaction each, and those that it does not have."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import get_next_redirect_url
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_safe

from accounts.adapter import SIGN_IN_AGAIN
from accounts.emails import claim_end
from accounts.models import User
from accounts.permissions import Permission, allows
from accounts.rules import ON_PAGES, OPEN, SecondFactorMissing, requires
from shop.core.errors import Forbidden, error_response


@require_safe
@requires(GET=ON_PAGES)
def account_overview(request: HttpRequest) -> HttpResponse:
    """Show what the account is, and lead to the pages that change it."""
    user = cast(User, request.user)
    context = {
        "addresses": EmailAddress.objects.filter(user=user).order_by("-primary", "email"),
        "roles": user.role_names,
    }
    return render(request, "account/overview.html", context)


@requires(GET=OPEN, POST=OPEN)
def admin_login(request: HttpRequest) -> HttpResponse:
    """Redirect the admin's sign-in to the site's, which counts attempts."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or "/admin/")
    if not admin.site.has_permission(request):
        if allows(request.user.waiting_permissions, Permission.ACCOUNTS_ADMIN):
            messages.warning(request, gettext(SecondFactorMissing.detail))
            return redirect("mfa_index")
        accepted = Permission.ACCOUNTS_ADMIN.code
        return error_response(
            request, Forbidden(gettext_noop("The admin is for staff."), accepted=accepted)
        )
    return redirect("admin:index")


def in_one_transaction(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Make a change and the mail that tells of it in one transaction."""

    @wraps(view)
    def changed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            return view(request, *args, **kwargs)

    return changed


def confirm_session(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ask those who have nothing else to confirm their session by, to sign in again."""

    @wraps(view)
    def confirm(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return view(request, *args, **kwargs)
        [method, *_others] = get_adapter(request).get_reauthentication_methods(request.user)
        if method["id"] != SIGN_IN_AGAIN:
            return view(request, *args, **kwargs)
        context = {"next": get_next_redirect_url(request) or reverse("account_overview")}
        return render(request, "account/sign_in_again.html", context)

    return confirm


def or_disown(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let the reader of a link that proves an address say that the account is not theirs."""

    @wraps(view)
    def page(request: HttpRequest, key: str) -> HttpResponse:
        if request.method != "POST" or "disown" not in request.POST:
            return view(request, key=key)
        confirmation = EmailConfirmationHMAC.from_key(key)
        if confirmation is None:
            raise Http404
        claim_end(confirmation.email_address)
        messages.success(request, gettext("That account no longer has your address."))
        return redirect("account_login")

    return page
