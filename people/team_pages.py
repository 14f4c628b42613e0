"""The pages of teams."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import requires
from people import invitations, selectors, teams
from people.folding import mask_of
from people.models import Team
from people.pages import ADMIN, by_field, said, tabs
from shop.core.errors import (
    ApplicationError,
    FieldError,
    NotFound,
    ValidationFailed,
    error_response,
)
from shop.core.pagination import paginate


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ADMIN, POST=ADMIN)
def team_list(request: HttpRequest) -> HttpResponse:
    """Show all teams with their roles, and make a team by POST."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            team = teams.team_create(
                actor=cast(User, request.user),
                name=request.POST.get("name", ""),
                roles=request.POST.getlist("roles"),
            )
        except ValidationFailed as error:
            errors = by_field(error)
        except ApplicationError as error:
            errors = {"": said(error)}
        else:
            messages.success(request, _("The team is there. Invite somebody to it."))
            return redirect("people_team", team.pk)
    page: Any = None
    try:
        page = paginate(
            selectors.teams(), cursor=request.GET.get("cursor"), moment_field="created_at"
        )
    except ValidationFailed as error:
        errors |= by_field(error)
    names = selectors.role_names()
    given = request.POST.getlist("roles")
    context = {
        "tabs": tabs(request, "people_teams"),
        "page": page,
        "teams": [
            (team, [names.get(role, role) for role in team.roles])
            for team in (page.items if page else ())
        ],
        "name": request.POST.get("name", ""),
        "roles": [(role, role.code in given) for role in selectors.roles() if role.given],
        "errors": errors,
        "labels": {"name": _("Name")},
    }
    return render(request, "people/teams.html", context, status=400 if errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ADMIN, POST=ADMIN)
def team(request: HttpRequest, id: Any) -> HttpResponse:
    """Show a team, its members and invitations; change them by POST."""
    try:
        shown: Any = selectors.team_of(id)
    except NotFound as error:
        return error_response(request, error)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            done = _act(request, shown)
        except ValidationFailed as error:
            errors = by_field(error)
        except ApplicationError as error:
            errors = {"": said(error)}
        else:
            messages.success(request, done)
            if request.POST.get("action") == "delete":
                return redirect("people_teams")
            return redirect(request.path)
    page: Any = None
    try:
        page = paginate(
            selectors.members_of(shown), cursor=request.GET.get("cursor"), number_field="pk"
        )
    except ValidationFailed as error:
        errors |= by_field(error)
    acted = request.POST.get("action")
    chosen = request.POST.getlist("roles") if acted == "change" else shown.roles
    context = {
        "tabs": tabs(request, within="people_teams"),
        "team": shown,
        "name": request.POST.get("name", "") if acted == "change" else shown.name,
        "roles": [(role, role.code in chosen) for role in selectors.roles() if role.given],
        "words": selectors.words(mask_of(shown.roles)),
        "page": page,
        "members": page.items if page else (),
        "invitations": selectors.invitations_of(shown),
        "email": request.POST.get("email", ""),
        "member": request.POST.get("member", ""),
        "errors": errors,
        "delete": [("action", "delete")],
        "labels": {
            "name": _("Name"),
            "email": _("Mail address"),
            "member": _("Username or userid"),
        },
    }
    return render(request, "people/team.html", context, status=400 if errors else 200)


def _act(request: HttpRequest, shown: Team) -> str:
    """Do what a form of the page asks for. Return what was done, in words."""
    actor, form = cast(User, request.user), request.POST
    match form.get("action"):
        case "change":
            teams.team_change(
                actor=actor, id=shown.pk, name=form.get("name", ""), roles=form.getlist("roles")
            )
            return _("The team is changed, and what its members may do.")
        case "delete":
            teams.team_delete(actor=actor, id=shown.pk)
            return _("The team is deleted.")
        case "add":
            teams.member_add(actor=actor, id=shown.pk, account_id=_named(form.get("member", "")))
            return _("The account is in the team.")
        case "remove":
            account = selectors.account_of(form.get("userid", ""))
            teams.member_remove(actor=actor, id=shown.pk, account_id=account.pk)
            return _("The account is no longer in the team.")
        case "invite":
            invitations.invitation_create(actor=actor, id=shown.pk, email=form.get("email", ""))
            return _("The invitation will be mailed.")
        case "withdraw":
            invitations.invitation_withdraw(
                actor=actor, id=shown.pk, invitation_id=form.get("invitation", "")
            )
            return _("The invitation is withdrawn.")
    raise ValidationFailed([FieldError("invalid", _("Nothing was asked for."), "")])


def _named(name: str) -> int:
    """Return the id of the account with this username or userid."""
    found = User.objects.known_as(name.strip()) if name.strip() else set()
    if len(found) != 1:
        detail = _("No account has this username or userid. Invite its address instead.")
        if found:
            detail = _("Two accounts have this name. Give the userid.")
        raise ValidationFailed([FieldError("invalid", detail, "member")])
    return found.pop()
