"""The pages of roles."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission, codes
from accounts.rules import requires
from accounts.wording import PARTS, WORDS
from people import roles, selectors
from people.pages import ADMIN, by_field, said, tabs
from shop.core.errors import ApplicationError, NotFound, ValidationFailed, error_response


def grid(chosen: list[str]) -> list[tuple[str, list[tuple[Permission, str, bool]]]]:
    """Return all permissions by part, each in words and whether it is chosen."""
    found: dict[str, list[tuple[Permission, str, bool]]] = {}
    for each in Permission:
        words = str(WORDS[each])
        found.setdefault(each.part, []).append((each, words, each.code in chosen))
    return [(str(PARTS[part]), permissions) for part, permissions in found.items()]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ADMIN, POST=ADMIN)
def role_list(request: HttpRequest) -> HttpResponse:
    """Show all roles and what each may do, and make one by POST."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        code = request.POST.get("code", "").strip()
        try:
            roles.role_create(
                actor=cast(User, request.user),
                code=code,
                name=request.POST.get("name", ""),
                permissions=request.POST.getlist("permissions"),
            )
        except ValidationFailed as error:
            errors = by_field(error)
        except ApplicationError as error:
            errors = {"": said(error)}
        else:
            messages.success(request, _("The role is there, and can be given."))
            return redirect("people_roles")
    context = {
        "tabs": tabs(request, "people_roles"),
        "roles": [(role, selectors.words(role.permissions)) for role in selectors.roles()],
        "code": request.POST.get("code", ""),
        "name": request.POST.get("name", ""),
        "grid": grid(request.POST.getlist("permissions")),
        "errors": errors,
        "labels": {"name": _("Name"), "code": _("Code")},
    }
    return render(request, "people/roles.html", context, status=400 if errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ADMIN, POST=ADMIN)
def role(request: HttpRequest, code: str) -> HttpResponse:
    """Show a role; change or delete it by POST."""
    try:
        shown = selectors.role_of(code)
    except NotFound as error:
        return error_response(request, error)
    actor, errors = cast(User, request.user), dict[str, str]()
    deletes = request.POST.get("action") == "delete"
    if request.method == "POST":
        try:
            if deletes:
                roles.role_delete(actor=actor, code=code)
            else:
                roles.role_change(
                    actor=actor,
                    code=code,
                    name=request.POST.get("name", ""),
                    permissions=request.POST.getlist("permissions"),
                )
        except ValidationFailed as error:
            errors = by_field(error)
        except ApplicationError as error:
            errors = {"": said(error)}
        else:
            done = _("The role is deleted.") if deletes else _("The role is changed.")
            messages.success(request, done)
            return redirect("people_roles")
    typed = request.method == "POST" and not deletes
    context: dict[str, Any] = {
        "tabs": tabs(request, within="people_roles"),
        "role": shown,
        "words": selectors.words(shown.permissions),
        "name": request.POST.get("name", "") if typed else shown.name,
        "grid": grid(request.POST.getlist("permissions") if typed else codes(shown.permissions)),
        "errors": errors,
        "labels": {"name": _("Name")},
    }
    return render(request, "people/role.html", context, status=400 if errors else 200)
