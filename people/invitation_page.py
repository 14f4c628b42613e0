"""The page that the link of an invitation leads to."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import ON_PAGES, OPEN, requires
from people import invitations, selectors
from shop.core.errors import ApplicationError, NotFound, error_response


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=OPEN, POST=ON_PAGES)
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation, and what is missing to accept it; accept it by POST."""
    try:
        found = invitations.invitation_find(token)
    except NotFound as error:
        return render(request, "people/invitation_over.html", status=error.status)
    signed_in = request.user.is_authenticated
    if request.method == "POST":
        user = cast(User, request.user)
        try:
            team = invitations.invitation_accept(user=user, token=token)
        except invitations.OtherAddress:
            pass
        except ApplicationError as error:
            return error_response(request, error)
        else:
            messages.success(request, _("You are in the team %(team)s now.") % {"team": team.name})
            return redirect("account_overview")
    fits = signed_in and invitations.has_address(cast(User, request.user), found)
    names = selectors.role_names()
    context = {
        "invitation": found,
        "roles": [names[role] for role in found.team.roles if role in names],
        "fits": fits,
        "here": request.path,
    }
    status = 403 if request.method == "POST" else 200
    return render(request, "people/invitation.html", context, status=status)
