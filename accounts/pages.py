"""Pages of accounts that allauth does not have."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from shop.errors import Forbidden, error_response


def admin_login(request: HttpRequest) -> HttpResponse:
    """Send whoever enters the admin to the one sign-in, where attempts are counted."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or "/admin/")
    if not request.user.is_staff:
        return error_response(request, Forbidden("The admin is for staff."))
    return redirect("admin:index")
