"""The pages of people: views parse, authorise, make one call and render."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Caller
from accounts.models import USERNAME_MAX_LENGTH, User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from accounts.sessions.listing import sessions_of
from people import selectors
from people.guard import may_manage
from people.second_factors import reset_by
from people.services import account_change
from shop.core.errors import (
    ApplicationError,
    Forbidden,
    NotFound,
    ValidationFailed,
    error_response,
)
from shop.core.pagination import PAGE_SIZE, paginate
from shop.core.panels import person_panels
from shop.core.text import printable

EVERYBODY = "everybody"
READ = needs(P.ACCOUNTS_READ_ALL, P.ACCOUNTS_ADMIN)
ADMIN = needs(P.ACCOUNTS_ADMIN)


def tabs(request: HttpRequest, current: str = "", within: str = "") -> list[dict[str, Any]]:
    """Return the pages that belong together, without those that the reader may not open.

    The page shown is the ``current`` one, or is below the one that it is ``within``.
    """
    pages = [("people", _("People"))]
    if allows(cast(User, request.user).permissions, P.ACCOUNTS_ADMIN):
        pages += [("people_teams", _("Teams")), ("people_roles", _("Roles"))]
    return [
        {
            "label": label,
            "url": reverse(route),
            "current": route == current,
            "within": route == within,
        }
        for route, label in pages
    ]


def said(error: ApplicationError) -> str:
    """Return what an error says, in the language of the page."""
    return " ".join(_(each.detail) for each in error.errors)


def by_field(error: ValidationFailed) -> dict[str, str]:
    """Return what is wrong with a form, by the names of its fields."""
    return {each.attr or "": _(each.detail) for each in error.errors}


@require_safe
@requires(GET=READ)
def people(request: HttpRequest) -> HttpResponse:
    """Show who has rights, everybody, or those whose name, userid or address begins with ``q``."""
    text = request.GET.get("q", "").strip()
    everybody = request.GET.get("who") == EVERYBODY
    errors: dict[str, str] = {}
    page: Any = None
    found: list[User] = []
    more = False
    if len(text) > USERNAME_MAX_LENGTH or not printable(text):
        errors["q"] = _("A name, userid or address has at most %(most)s printable characters.") % {
            "most": USERNAME_MAX_LENGTH
        }
    elif text:
        found = selectors.accounts_named(text, PAGE_SIZE + 1)
        more = len(found) > PAGE_SIZE
    else:
        try:
            page = paginate(
                selectors.accounts(everybody=everybody),
                cursor=request.GET.get("cursor"),
                number_field="pk",
            )
            found = list(page.items)
        except ValidationFailed as error:
            errors = by_field(error)
    names = selectors.role_names()
    context = {
        "tabs": tabs(request, "people"),
        "q": text,
        "everybody": everybody,
        "errors": errors,
        "pages": page.links(f"who={EVERYBODY}" if everybody else "") if page else {},
        "more": more,
        "people": [
            (each, [names.get(role, role) for role in each.account.all_roles])
            for each in selectors.people_of(found[:PAGE_SIZE])
        ],
    }
    return render(request, "people/list.html", context, status=400 if errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ, POST=ADMIN)
def person(request: HttpRequest, userid: str) -> HttpResponse:
    """Show one account: what it may do and why, and what other parts of the shop add."""
    try:
        account = selectors.account_of(userid)
    except ApplicationError as error:
        return error_response(request, error)
    actor = cast(User, request.user)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            account_change(actor=actor, account_id=account.pk, **_change(request.POST))
        except ValidationFailed as error:
            errors = by_field(error)
        except ApplicationError as error:
            messages.error(request, said(error))
            return redirect(request.path)
        else:
            messages.success(request, _("It is changed, from the next request on."))
            return redirect(request.path)
    caller = Caller.of(actor)
    shown = selectors.people_of([account])[0]
    names = selectors.role_names()
    roles = [
        (role, role.code in account.roles, role.code in account.team_roles)
        for role in selectors.roles()
        if role.given and role.code != account.own_role
    ]
    context = {
        "tabs": tabs(request, within="people"),
        "account": account,
        "person": shown,
        "is_own": account.pk == actor.pk,
        "may_change": _may_change(actor, account),
        "roles": roles,
        "role_names": [names.get(role, role) for role in account.all_roles],
        "words": selectors.words(account.account_permissions),
        "panels": person_panels(caller, account),
        "signed_in": len(sessions_of(account)),
        "may_see_purchases": not account.is_client
        and allows(caller.permissions, P.PURCHASES_READ_ALL),
        "errors": errors,
        "close": [("is_active", "no")],
    }
    return render(request, "people/person.html", context, status=400 if errors else 200)


@require_POST
@requires(POST=needs(P.ACCOUNTS_ADMIN, recent=True))
def reset_second_factor(request: HttpRequest, userid: str) -> HttpResponse:
    """Remove somebody's second factors, so that they can sign in and set up new ones."""
    try:
        reset_by(cast(User, request.user), selectors.account_of(userid))
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("The second factors are gone, and all sessions have ended."))
    return redirect("person", userid)


def _change(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form of the page asks for."""
    if "is_active" in form:
        return {"is_active": form["is_active"] == "yes"}
    return {"roles": cast(Any, form).getlist("roles")}


def _may_change(actor: User, account: User) -> bool:
    if not allows(actor.permissions, P.ACCOUNTS_ADMIN):
        return False
    try:
        may_manage(actor, account)
    except Forbidden:
        return False
    return True
